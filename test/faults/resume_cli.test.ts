import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runCli } from '../../src/cli/run.ts'
import { GOLDEN } from '../support/golden_io.ts'
import { losableDevice } from './inject.ts'

const temporary = mkdtempSync(join(tmpdir(), 'webdit-resume-'))
afterAll(() => rmSync(temporary, { recursive: true }))

/** Draws four steps; the device is lost as soon as the second one is told of, where that is asked for. */
async function generate(lose: boolean, ...flags: string[]) {
  const folder = mkdtempSync(join(temporary, 'run-'))
  const notes: string[] = []
  const printed: string[] = []
  const opened: Awaited<ReturnType<typeof losableDevice>>[] = []
  const code = await runCli(
    [
      ...['generate', '--model', join(GOLDEN, 'pipeline_pixart_sigma'), '--output_directory', folder],
      ...['--height', '32', '--width', '48', '--no_use_resolution_binning', '--num_inference_steps', '4'],
      ...['--prompt', 'cat', '--seed', '7', '--output_type', 'latent', ...flags],
    ],
    {
      print: (line) => printed.push(line),
      note(line) {
        notes.push(line)
        if (lose && opened.length === 1 && line.startsWith('step 2')) opened[0].lose()
      },
      status() {},
      terminal: false,
      signal: new AbortController().signal,
      async openDevice() {
        const one = await losableDevice({ tier: 'f32' })
        opened.push(one)
        return { device: one.device, close: () => one.device.close() }
      },
    },
  )
  return { code, notes, opened: opened.length, bytes: printed[0] && readFileSync(printed[0]) }
}

describe('webdit generate where the device is lost', () => {
  it('goes on with another one to the same bits, and says so', async () => {
    const undisturbed = await generate(false)
    const { code, notes, opened, bytes } = await generate(true)
    expect([code, opened]).toEqual([0, 2])
    expect(notes.filter((line) => /drawing goes on after step [23], on /.test(line))).toHaveLength(1)
    expect(Buffer.compare(bytes as Buffer, undisturbed.bytes as Buffer)).toBe(0)
  })

  it('fails where it was told to, and refuses other words', async () => {
    const { code, notes, opened } = await generate(true, '--on_device_loss', 'fail')
    expect([code, opened]).toEqual([1, 1])
    expect(notes.at(-2)).toMatch(/^webdit: .*lost/)
    const refused = await generate(false, '--on_device_loss', 'retry')
    expect([refused.code, refused.notes[0]]).toEqual([
      2,
      'webdit: --on_device_loss is "retry", expected resume or fail',
    ])
  })
})
