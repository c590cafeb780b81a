/**
 * Beside the spine, sets. The pages that have been read and not been taken, of all subscriptions of a process: what they hold together has
 * a bound, at which whoever has taken nothing for the longest ends. A page that many have counts once for the process, and in full
 * for each of them where its client's account is.
 */
import type { Account } from '../bus/holdings.ts'
import type { AnyRow } from '../changes/change.ts'
import { RowcastError } from '../errors.ts'

/** Who has a page. */
export interface PageHolder {
  readonly account?: Account | null | undefined
  /** Its page has to go. */
  end(error: RowcastError): void
  /** What ends it then. @default FIRST_ROWS_FAILED */
  whenLate?(): RowcastError | null
}

/** Rows, and what they take in memory, by estimate. */
export interface WeighedPage {
  readonly rows: readonly AnyRow[]
  readonly bytes: number
}

/** What a page has at the most while few are held. */
export const PAGE_BYTES = 1024 * 1024
const PAGE_BYTES_MIN = 16 * 1024

/** The pages of a process. */
export class HeldPages {
  readonly bytesMax: number
  /** By holder, whoever moved last at the end. */
  readonly #held = new Map<PageHolder, WeighedPage>()
  readonly #holders = new Map<WeighedPage, number>()
  #bytes = 0

  /** @param bytesMax of all pages together */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What one page may take, whatever is held; of more, the first rows alone are given. */
  get pageBytesMax(): number {
    return this.bytesMax / 4
  }

  /** What the next page is to take: with half of the bound, all who hold one would have another. A power of two, so that many ask alike. */
  get pageBytes(): number {
    const share = Math.min(PAGE_BYTES, this.bytesMax / 2 / (this.#holders.size + 1))
    return 2 ** Math.floor(Math.log2(Math.max(PAGE_BYTES_MIN, share)))
  }

  /**
   * Whether so much may be held without anybody else's page having to go; what one page may take always may, and whatever is alone.
   * @param holder whose page goes for it
   */
  fits(bytes: number, holder?: PageHolder): boolean {
    const others = this.#bytes - ((holder && this.#held.get(holder)?.bytes) ?? 0)
    return bytes <= this.pageBytesMax || others === 0 || others + bytes <= this.bytesMax
  }

  /** The holder has this page now, and the one before no more. */
  hold(holder: PageHolder, page: WeighedPage): void {
    this.letGo(holder)
    this.resize(holder, page)
  }

  /** The same for what has grown: it has taken nothing for that. */
  resize(holder: PageHolder, page: WeighedPage): void {
    const before = this.#held.get(holder)
    if (before !== undefined) this.#release(holder, before)
    const holders = this.#holders.get(page) ?? 0
    this.#holders.set(page, holders + 1)
    if (holders === 0) this.#bytes += page.bytes
    this.#held.set(holder, page)
    holder.account?.addBytes(page.bytes)
    if (this.#bytes <= this.bytesMax) return
    // Who has more than a page may take makes room before others do.
    const large = [...this.#held].filter(([, { bytes }]) => bytes > this.pageBytesMax)
    for (const other of new Set([...large.map(([each]) => each), ...this.#held.keys()])) {
      if (this.#bytes <= this.bytesMax) return
      if (other === holder) continue
      this.letGo(other)
      other.end(other.whenLate?.() ?? firstRowsLate())
    }
  }

  /** It has taken a row. */
  move(holder: PageHolder): void {
    const page = this.#held.get(holder)
    if (page === undefined) return
    this.#held.delete(holder)
    this.#held.set(holder, page)
  }

  /** It has taken all rows of its page, or has ended. */
  letGo(holder: PageHolder): void {
    const page = this.#held.get(holder)
    if (page === undefined) return
    this.#held.delete(holder)
    this.#release(holder, page)
  }

  #release(holder: PageHolder, page: WeighedPage): void {
    holder.account?.addBytes(-page.bytes)
    const holders = (this.#holders.get(page) ?? 1) - 1
    if (holders > 0) this.#holders.set(page, holders)
    else {
      this.#holders.delete(page)
      this.#bytes -= page.bytes
    }
  }
}

/** What ends a subscription that has not taken all of its first rows. */
export function firstRowsLate(): RowcastError {
  const happened = 'First rows were left waiting for longer than they can be kept.'
  return new RowcastError('FIRST_ROWS_FAILED', happened)
}
