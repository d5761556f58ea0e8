// Chooses a square of a picture: by dragging, pinching, the wheel, a slider, or the keyboard.

const step = 8; // pixels of the area that an arrow key moves by
const smallest = 64; // pixels a side of what is tried last
const mostZoom = 8; // times the smallest size that fills the square

export class Crop {
  #picture; #area; #previews; #slider;
  #zoom = 1; #x = 0.5; #y = 0.5; // the middle of the square, as shares of the picture
  #pointers = new Map();

  constructor(area, slider, previews) {
    this.#area = area;
    this.#slider = slider;
    this.#previews = previews;
    area.addEventListener("pointerdown", (event) => {
      area.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, event);
    });
    for (const end of ["pointerup", "pointercancel"]) area.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    area.addEventListener("pointermove", (event) => this.#drag(event));
    area.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.#scale(this.#zoom * Math.exp(-event.deltaY / 400));
    }, { passive: false });
    area.addEventListener("keydown", (event) => this.#key(event));
    slider.addEventListener("input", () => this.#scale(mostZoom ** (slider.value / 100)));
  }

  // show begins anew with a picture, an ImageBitmap.
  show(picture) {
    this.#picture = picture;
    [this.#zoom, this.#x, this.#y] = [1, 0.5, 0.5];
    this.#pointers.clear();
    this.#draw();
  }

  // side is how many pixels of the picture the square is wide.
  get side() {
    return Math.min(this.#picture.width, this.#picture.height) / this.#zoom;
  }

  // blob returns the square in at most `most` pixels a side and `bytes` bytes; null if it cannot be made that small.
  async blob(most, bytes) {
    for (let side = Math.max(1, Math.min(most, Math.round(this.side))); ; side = Math.floor(side * 0.75)) {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = side;
      this.#paint(canvas);
      for (const [type, quality] of this.#opaque(canvas) ? [["image/png"], ["image/jpeg", 0.92], ["image/jpeg", 0.8]] : [["image/png"]]) {
        const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, quality));
        if (blob && blob.size <= bytes) return blob;
      }
      if (side <= smallest) return null;
    }
  }

  #opaque(canvas) {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 3; i < data.length; i += 4) if (data[i] < 255) return false;
    return true;
  }

  #drag(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const scale = this.side / this.#area.clientWidth; // pixels of the picture for one on the screen
    if (this.#pointers.size === 2) {
      const other = [...this.#pointers.values()].find((p) => p.pointerId !== event.pointerId);
      const far = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
      this.#pointers.set(event.pointerId, event);
      if (far(before) > 0) this.#scale(this.#zoom * far(event) / far(before));
      return;
    }
    this.#pointers.set(event.pointerId, event);
    this.#move((before.clientX - event.clientX) * scale, (before.clientY - event.clientY) * scale);
  }

  #key(event) {
    const by = step * this.side / this.#area.width;
    const moves = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] };
    if (moves[event.key]) this.#move(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.#scale(this.#zoom * 1.1);
    else if (event.key === "-") this.#scale(this.#zoom / 1.1);
    else return;
    event.preventDefault();
  }

  #move(x, y) {
    this.#x += x / this.#picture.width;
    this.#y += y / this.#picture.height;
    this.#draw();
  }

  #scale(zoom) {
    this.#zoom = Math.min(mostZoom, Math.max(1, zoom));
    this.#draw();
  }

  #draw() {
    const [halfX, halfY] = [this.side / this.#picture.width / 2, this.side / this.#picture.height / 2];
    this.#x = Math.min(1 - halfX, Math.max(halfX, this.#x));
    this.#y = Math.min(1 - halfY, Math.max(halfY, this.#y));
    this.#slider.value = 100 * Math.log(this.#zoom) / Math.log(mostZoom);
    for (const canvas of [this.#area, ...this.#previews]) this.#paint(canvas);
  }

  #paint(canvas) {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    const { side } = this;
    context.drawImage(this.#picture, this.#x * this.#picture.width - side / 2, this.#y * this.#picture.height - side / 2, side, side,
      0, 0, canvas.width, canvas.height);
  }
}
