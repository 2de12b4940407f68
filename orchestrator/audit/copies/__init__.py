"""Images that are one picture, whatever was done to a copy.

- `apart`: What helpers of an audit do: look at pictures, and compare two of them
- `candidates`: Which pictures may be one: pairs with many points that look alike, or alike as a whole
- `frames`: What of a picture is content: constant borders, bars with their titles and masks are set aside
- `near_duplicates`: Images that are one picture: saved again, resized, brightened, inverted, flipped, turned a little, cut or framed
- `registration`: Whether two pictures are one: the second is laid over the first, and every part of the first is asked
- `sketches`: What is kept of a picture to compare it with others: its content without frames, and its most distinct points
"""
