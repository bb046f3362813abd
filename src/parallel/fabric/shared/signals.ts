/** How often to look where the runtime cannot wait for shared memory without blocking, in ms. */
const LOOK = 1

type WaitAsync = (
  array: Int32Array,
  index: number,
  value: number,
) => { async: false; value: 'not-equal' | 'timed-out' } | { async: true; value: Promise<'ok' | 'timed-out'> }

/** Settles when a word of shared memory is no longer `value`, or at once where it is not. */
export async function changed(words: Int32Array, index: number, value: number): Promise<void> {
  const waitAsync = (Atomics as unknown as { waitAsync?: WaitAsync }).waitAsync
  if (waitAsync) {
    const wait = waitAsync(words, index, value)
    if (wait.async) await wait.value
    return
  }
  while (Atomics.load(words, index) === value) await new Promise((resolve) => setTimeout(resolve, LOOK))
}
