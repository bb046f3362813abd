import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readTar } from '../../../src/runtime/platform/ustar.ts'

describe('readTar', () => {
  const folder = mkdtempSync(join(tmpdir(), 'webdit-tar-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  // Sizes around the block of 512 bytes, and a path longer than the 100 characters of the header's first field.
  const long = `${'d'.repeat(60)}/${'e'.repeat(60)}/long.bin`
  const files = { 'empty.bin': 0, 'block.bin': 512, 'odd.bin': 1337, [long]: 3 }
  for (const [name, size] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), contents(size))
  }
  symlinkSync('odd.bin', join(folder, 'link.bin'))
  const archive = new Uint8Array(
    execFileSync('tar', ['--format=ustar', '-cf', '-', '-C', folder, 'link.bin', ...Object.keys(files)]),
  )

  it('reads what tar wrote, regular files alone', () => {
    const read = [...readTar(archive)]
    expect(read.map(({ name }) => name)).toEqual(Object.keys(files))
    for (const { name, bytes } of read) expect([...bytes]).toEqual([...contents(files[name])])
  })

  it('refuses a damaged header and a file that runs over the end', () => {
    const damaged = archive.slice()
    damaged[3] ^= 1
    expect(() => [...readTar(damaged)]).toThrow(expect.objectContaining({ kind: 'corrupt' }))
    const cut = archive.subarray(0, 512 * 6)
    expect(() => [...readTar(cut)]).toThrow(/'odd.bin' of 1337 bytes/)
  })

  function contents(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, (_, i) => (i * 31) & 255)
  }
})
