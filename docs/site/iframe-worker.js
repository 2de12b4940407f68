// A page that is opened as a file may start no worker: the search of the site then runs in a hidden frame of the page.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      this.waiting = []
      const start = () => {
        const frame = document.createElement("iframe")
        frame.hidden = true
        frame.srcdoc = "<!doctype html>"
        frame.onload = () => {
          const inside = frame.contentWindow
          inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
          const script = inside.document.createElement("script")
          script.src = address
          script.onload = () => {
            this.inside = inside
            this.waiting.splice(0).forEach((data) => this.postMessage(data))
          }
          inside.document.body.append(script)
        }
        document.body.append(frame)
      }
      document.body ? start() : addEventListener("DOMContentLoaded", start)
    }
    postMessage(data) {
      if (this.inside) this.inside.dispatchEvent(new MessageEvent("message", { data }))
      else this.waiting.push(data)
    }
  }
}
