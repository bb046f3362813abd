// What `vite build` does, which needs no settings.
import { build } from 'vite'

await build({ base: './', logLevel: 'warn', build: { reportCompressedSize: false } })
