/** How long tests wait for what is to happen: as long as a busy machine may take. A net, not a measure, in milliseconds. */
export const PATIENCE_MS = 40_000
