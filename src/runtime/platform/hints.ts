/** What helps where a name was asked for that no adapter has. */
export const ADAPTER_HINT = "give a part of an adapter's name, or none for the best; `webdit doctor` lists them"
