"""What a report cites: each work once, as a line and as an entry of BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

PLACE = re.compile(r"(?P<name>[^,]+?)(?: (?P<volume>\d+))?(?:, (?P<pages>e?\d[\d-]*))?")
"""Of an article or a paper: "Machine Learning 52, 239-281", "KDD, 2623-2631", "ICLR"."""


@dataclass(frozen=True)
class Reference:
    """One work.

    Attributes:
        key: as `[@key]` names it in a text.
        authors, title, where: as a list of references has them; `where` is journal, volume and pages.
        year: of publication.
        kind: "article", "inproceedings" or "book".
        doi: without the resolver's address; empty where there is none.
    """

    key: str
    authors: str
    title: str
    where: str
    year: int
    kind: str = "article"
    doi: str = ""

    @property
    def line(self) -> str:
        """As a list of references has it."""
        return f"{self.authors}. {self.title}. {self.where}, {self.year}." + (
            f" doi:{self.doi}" if self.doi else ""
        )

    @property
    def bibtex(self) -> str:
        """As a `.bib` file has it."""
        place = {"article": "journal", "inproceedings": "booktitle", "book": "publisher"}[self.kind]
        parts = PLACE.fullmatch(self.where) if self.kind != "book" else None
        where = {place: self.where} if parts is None else {
            place: parts["name"], "volume": parts["volume"] or "", "pages": (parts["pages"] or "").replace("-", "--"),
        }  # fmt: skip
        fields = {"author": self.authors.replace(", ", " and "), "title": f"{{{self.title}}}", **where, "year": str(self.year), "doi": self.doi}  # fmt: skip
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        return f"@{self.kind}{{{self.key},\n{body}\n}}"


REFERENCES = {
    one.key: one
    for one in (
        Reference("keras", "F. Chollet", "Keras", "https://keras.io", 2015, "book"),
        Reference("optuna", "T. Akiba, S. Sano, T. Yanase, T. Ohta, M. Koyama",
                  "Optuna: A next-generation hyperparameter optimization framework", "KDD, 2623-2631", 2019, "inproceedings", "10.1145/3292500.3330701"),
        Reference("bergstra2012", "J. Bergstra, Y. Bengio", "Random search for hyper-parameter optimization",
                  "Journal of Machine Learning Research 13, 281-305", 2012),
        Reference("bergstra2011", "J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl", "Algorithms for hyper-parameter optimization", "NeurIPS 24", 2011, "inproceedings"),
        Reference("sechidis2011", "K. Sechidis, G. Tsoumakas, I. Vlahavas", "On the stratification of multi-label data", "ECML PKDD, 145-158", 2011, "inproceedings",
                  "10.1007/978-3-642-23808-6_10"),
        Reference("nadeau2003", "C. Nadeau, Y. Bengio", "Inference for the generalization error", "Machine Learning 52, 239-281", 2003, doi="10.1023/A:1024068626366"),
        Reference("obuchowski1997", "N. A. Obuchowski", "Nonparametric analysis of clustered ROC curve data", "Biometrics 53, 567-578", 1997, doi="10.2307/2533958"),
        Reference("vickers2006", "A. J. Vickers, E. B. Elkin", "Decision curve analysis: a novel method for evaluating prediction models",
                  "Medical Decision Making 26, 565-574", 2006, doi="10.1177/0272989X06295361"),
        Reference("holm1979", "S. Holm", "A simple sequentially rejective multiple test procedure", "Scandinavian Journal of Statistics 6, 65-70", 1979),
        Reference("yang2012", "D. Yang, J. E. Dalton", "A unified approach to measuring the effect size between two groups using SAS", "SAS Global Forum, paper 335", 2012, "inproceedings"),
        Reference("kingma2015", "D. P. Kingma, J. Ba", "Adam: A method for stochastic optimization", "ICLR", 2015, "inproceedings"),
        Reference("lecun1998", "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner", "Gradient-based learning applied to document recognition",
                  "Proceedings of the IEEE 86, 2278-2324", 1998, doi="10.1109/5.726791"),
        Reference("bland1986", "J. M. Bland, D. G. Altman", "Statistical methods for assessing agreement between two methods of clinical measurement",
                  "Lancet 327, 307-310", 1986, doi="10.1016/S0140-6736(86)90837-8"),
        Reference("tejani2024", "A. S. Tejani, M. E. Klontzas, A. A. Gatti, J. T. Mongan, L. Moy, S. H. Park, C. E. Kahn",
                  "Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 update", "Radiology: Artificial Intelligence 6, e240300", 2024, doi="10.1148/ryai.240300"),
        Reference("collins2024", "G. S. Collins, K. G. M. Moons, P. Dhiman, R. D. Riley, others",
                  "TRIPOD+AI statement: updated guidance for reporting clinical prediction models that use regression or machine learning methods", "BMJ 385, e078378", 2024,
                  doi="10.1136/bmj-2023-078378"),
        Reference("kocak2024", "B. Kocak, T. Akinci D'Antonoli, N. Mercaldo, others",
                  "METhodological RadiomICs Score (METRICS): a quality scoring tool for radiomics research endorsed by EuSoMII", "Insights into Imaging 15, 8", 2024,
                  doi="10.1186/s13244-023-01572-w"),
    )
}  # fmt: skip
"""By key."""

GUIDELINES = ("tejani2024", "collins2024", "kocak2024")


def cite(keys: Iterable[str]) -> list[Reference]:
    """The works of these keys, each once, in this order."""
    return [REFERENCES[key] for key in dict.fromkeys(keys)]


def to_bibtex(references: Iterable[Reference]) -> str:
    """Them as the text of a `.bib` file."""
    return "\n\n".join(one.bibtex for one in references) + "\n"
