/**
 * Beside the bus, broker. What the keys are called. All of one slot share a hash tag, so that a cluster keeps them in
 * one place.
 */

/** Keys of one slot. */
export interface StreamKeys {
  /** Stream: the epochs, newest last. */
  readonly epochs: string
  epoch(id: string): EpochKeys
}

/** Keys of one epoch. */
export interface EpochKeys {
  /** Stream of entries. */
  readonly changes: string
  /** Stream of one: the newest mark. */
  readonly marks: string
  /** Hash: digest → what a relation looks like. */
  readonly relations: string
  /** JSON: where the models' tables stand. */
  readonly tables: string
  /** Hash: model → id of the last entry that has anything of it; the field `''` says that none is missing here. */
  readonly lasts: string
}

export function streamKeys(prefix: string, slot: string): StreamKeys {
  const root = `${prefix}:{${slot}}`
  return {
    epochs: `${root}:epochs`,
    epoch: (id) => ({
      changes: `${root}:${id}:changes`,
      marks: `${root}:${id}:marks`,
      relations: `${root}:${id}:relations`,
      tables: `${root}:${id}:tables`,
      lasts: `${root}:${id}:lasts`,
    }),
  }
}

/** All of an epoch. */
export function keysOf({ changes, marks, relations, tables, lasts }: EpochKeys): readonly string[] {
  return [changes, marks, relations, tables, lasts]
}
