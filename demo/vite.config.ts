import { defineConfig, type UserConfig } from 'vite'
import { withoutNode } from '../vite.browser.ts'
import { modelFiles } from './model_files.ts'

export interface DemoOptions {
  /** Isolate the page from other origins, which opens SharedArrayBuffer to it. The page draws either way. */
  isolated: boolean
  /** Copy the embedded model into the build. */
  copyModel: boolean
}

/** The page, served by Vite: `npm run demo`, `npm run demo:build`. */
export function demoConfig({ isolated, copyModel }: DemoOptions): UserConfig {
  const headers: Record<string, string> = isolated
    ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
    : {}
  return {
    root: import.meta.dirname,
    base: './', // the build runs in any folder of a server
    server: { headers },
    preview: { headers },
    build: { target: 'es2022', reportCompressedSize: false, emptyOutDir: true },
    worker: { format: 'es', plugins: () => [withoutNode()] },
    plugins: [withoutNode(), modelFiles({ copy: copyModel })],
  }
}

export default defineConfig(demoConfig({ isolated: true, copyModel: true }))
