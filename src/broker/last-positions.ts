/**
 * Beside the bus, broker. Where each model changed last: kept beside the stream and written with it, and with each entry where
 * its models had changed last before. So a cursor that is older than what the stream has kept goes on where nothing of its
 * model was dropped: where nothing of it came after the cursor, or the first of it that is kept follows on the cursor.
 * Each is a text behind a checksum that covers the entry's id as well: what was damaged, copied from another entry, or written by a version that
 * knows none is not known.
 */
import type { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import type { ChangePosition } from '../changes/change.ts'
import { comparePositions, INDEX_AFTER_ALL, nextPosition } from '../changes/cursor.ts'
import type { EmittedMessage } from '../changes/emitted-message.ts'
import { parseBarrier } from '../source/published/barrier-message.ts'
import { entryIdOf, formatEntryId, readEntryId } from './entry-id.ts'
import type { EntryLog, LogWrite } from './entry-log.ts'
import type { EpochKeys } from './stream-keys.ts'

/** Says that what an epoch has of all models is here, from its first entry on. */
const COMPLETE_FIELD = ''
const IS_COMPLETE = '1'
/** Of a model that the epoch has had nothing of before. */
const NOTHING = '0-0'

/** Begins them, with the epoch. */
export function beginLastPositions({ lasts }: EpochKeys): LogWrite {
  const sealed = sealText(IS_COMPLETE, addressOf(lasts, COMPLETE_FIELD))
  return { kind: 'fields', name: lasts, fields: new Map([[COMPLETE_FIELD, sealed]]) }
}

/** Notes them, with the entries or before them. */
export function noteLastPositions(
  { lasts }: EpochKeys,
  positions: ReadonlyMap<string, ChangePosition>,
): LogWrite {
  const textOf = (model: string, position: ChangePosition) =>
    sealText(formatPosition(position), addressOf(lasts, model))
  const fields = new Map([...positions].map(([model, position]) => [model, textOf(model, position)]))
  return { kind: 'fields', name: lasts, fields }
}

/**
 * Where the gaps end that a barrier of the slot's reports: no cursor from before is good any more, also once the barrier's
 * entry is gone. Empty where the message is none, or cuts nothing. Of the models given alone: whoever may write to the database
 * may write a barrier with any number of names, and a model that comes to them later begins with a gap of its own.
 */
export function endsOfGaps(
  message: EmittedMessage,
  slot: string,
  models: ReadonlySet<string>,
): ReadonlyMap<string, ChangePosition> {
  const cut = parseBarrier(message, slot)?.cut ?? []
  const { transaction } = message
  if (transaction === null) return new Map()
  const end = nextPosition({ commitLsn: transaction.commitLsn, index: INDEX_AFTER_ALL })
  return new Map(cut.filter((model) => models.has(model)).map((model) => [model, end]))
}

/** What an epoch has had of a model after a position: the last of it, where there is something. */
export type Following = 'nothing' | 'unknown' | { readonly last: ChangePosition }

/** Asks for it. */
export async function askWhatFollows(
  log: EntryLog,
  { lasts }: EpochKeys,
  { model, position }: { readonly model: string; readonly position: ChangePosition },
): Promise<Following> {
  const [isComplete = null, last = null] = await log.readFields(lasts, [COMPLETE_FIELD, model])
  if (!isMarkedComplete(isComplete, lasts)) return 'unknown'
  if (last === null) return 'nothing'
  const latest = readPosition(openText(last.toString(), addressOf(lasts, model)))
  if (latest === null) return 'unknown'
  return comparePositions(latest, position) <= 0 ? 'nothing' : { last: latest }
}

/** What a tap that writes to an epoch knows of them: nobody else writes. */
export class LastPositions {
  /** Null of what somebody else has written there: it is not known. */
  readonly #lasts: Map<string, string | null>
  readonly #isComplete: boolean

  private constructor(lasts: Map<string, string | null>, isComplete: boolean) {
    this.#isComplete = isComplete
    this.#lasts = lasts
  }

  /** Reads them, once the epoch is the tap's own. */
  static async read(log: EntryLog, { lasts }: EpochKeys): Promise<LastPositions> {
    const fields = new Map(await log.readAllFields(lasts))
    const isComplete = isMarkedComplete(fields.get(COMPLETE_FIELD) ?? null, lasts)
    fields.delete(COMPLETE_FIELD)
    const textOf = (model: string, bytes: Buffer) => {
      const text = openText(bytes.toString(), addressOf(lasts, model))
      return readPosition(text) === null ? null : (text ?? null)
    }
    return new LastPositions(
      new Map([...fields].map(([model, bytes]) => [model, textOf(model, bytes)])),
      isComplete,
    )
  }

  /** Where the models changed last before the entry of this id, for its readers; null where that is not known. */
  before(models: Iterable<string>, address: string): string | null {
    const named = [...models]
    if (!this.#isComplete || named.some((model) => this.#lasts.get(model) === null)) return null
    const text = named.map((model) => `${model} ${this.#lasts.get(model) ?? NOTHING}`).join(',')
    return sealText(text, address)
  }

  note(model: string, position: ChangePosition): void {
    this.#lasts.set(model, formatPosition(position))
  }
}

/** By model, where it changed last before the entry of this id; empty where that cannot be read. */
export function parseBefore(text: string, address: string): ReadonlyMap<string, ChangePosition> {
  const content = openText(text, address)
  if (content === undefined) return new Map()
  const found = new Map<string, ChangePosition>()
  for (const each of content.split(',')) {
    const [model = '', text] = each.split(' ')
    const position = readPosition(text)
    if (position === null) return new Map()
    found.set(model, position)
  }
  return found
}

function isMarkedComplete(field: Buffer | null, lasts: string): boolean {
  return field !== null && openText(field.toString(), addressOf(lasts, COMPLETE_FIELD)) === IS_COMPLETE
}

function addressOf(lasts: string, model: string): string {
  return `${lasts} ${model}`
}

function sealText(text: string, address: string): string {
  return `${checksumOf(text, address)} ${text}`
}

/** Undefined where it was not sealed for this id. */
function openText(sealed: string, address: string): string | undefined {
  const [, checksum, text = ''] = /^([0-9a-f]{8}) (.*)$/.exec(sealed) ?? []
  return checksum === checksumOf(text, address) ? text : undefined
}

function checksumOf(text: string, address: string): string {
  return crc32(text, crc32(address)).toString(16).padStart(8, '0')
}

function formatPosition(position: ChangePosition): string {
  return formatEntryId(entryIdOf(position))
}

function readPosition(text: string | undefined): ChangePosition | null {
  const id = readEntryId(text)
  return id === null ? null : { commitLsn: id.lsn, index: id.sequence }
}
