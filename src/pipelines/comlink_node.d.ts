declare module 'comlink/dist/esm/node-adapter.mjs' {
  /** Node's MessagePort or Worker as an endpoint; comlink ships no types for this file. */
  export default function nodeEndpoint(port: unknown): import('comlink').Endpoint
}
