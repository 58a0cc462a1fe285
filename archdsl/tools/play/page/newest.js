// One question at a time, and of those that wait only the newest: answers come in order, and never more than one late.
export class Newest {
  #waiting = null;
  #running = false;

  // `make` gives the question when its turn comes, `show` takes the question and the answer.
  constructor(ask, make, show, fail) { Object.assign(this, { ask, make, show, fail }); }

  want() {
    this.#waiting = true;
    if (!this.#running) this.#run();
  }

  async #run() {
    this.#running = true;
    while (this.#waiting) {
      this.#waiting = null;
      const question = this.make();
      try {
        this.show(question, await this.ask(question.request));
      } catch (error) {
        this.fail(error);
      }
    }
    this.#running = false;
  }
}
