/** Where rows are counted that were read and not taken, for tests that bound nothing. */
import { HeldPages } from '../../src/sets/held-pages.ts'
import type { RelatedReading } from '../../src/sets/related-request.ts'

/** A part of how related rows are read. */
export function heldRows(): Pick<RelatedReading, 'held' | 'bytesOf'> {
  return { held: new HeldPages(1e9), bytesOf: () => 0 }
}
