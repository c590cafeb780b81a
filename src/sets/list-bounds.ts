/** Beside the spine, sets. How often lists and totals are shown: options of the library and the service. */
import { badFilter } from '../bus/filter/bad-filter.ts'
import { checkOption, isCount, isObject, maybe, type OptionRows, option, throwFault } from '../option.ts'

/** What a subscription may ask for at the most, as `every`. */
const EVERY_MAX_MS = 60_000

/** Of all lists and totals of a process. */
export interface ListBounds {
  /** Milliseconds between two patches at the least where a subscription does not say `every`, 0 to 60,000. @default 0, each transaction at once */
  readonly everyMs?: number | undefined
  /** The same where it says less, or 0: nobody is shown patches more often. @default 0 */
  readonly everyMinMs?: number | undefined
}

/** The part of the options that is about them. */
export interface ListCostOptions {
  /** How often live lists and totals are shown. */
  readonly lists?: ListBounds | undefined
}

/** Their row. @internal: its type is valibot's, which nobody installs */
export const LISTS = {
  lists: option({
    check: maybe(
      isObject(
        {
          everyMs: maybe(isCount(0, EVERY_MAX_MS)),
          everyMinMs: maybe(isCount(0, EVERY_MAX_MS)),
        },
        'cannot be used',
      ),
    ),
    hint: 'Write lists: { everyMs?: 0 to 60000, everyMinMs?: 0 to 60000 }.',
    byDefault: '`{ everyMs: 0, everyMinMs: 0 }`',
    meaning:
      'live lists and totals: `everyMs` between two patches where a subscription says no `every`, `everyMinMs` whatever it says: [live lists](live-lists.md#what-it-costs)',
  }),
} satisfies OptionRows<ListCostOptions>

/** Complete. */
export interface CheckedListBounds {
  /** Milliseconds between two patches of whoever asks for so many, or for none in particular. @throws BAD_FILTER */
  everyOf(asked: number | undefined): number
}

/** Fills in the defaults. @throws CONFIG_BAD_FIELD */
export function resolveListBounds({ lists }: ListCostOptions): CheckedListBounds {
  const { everyMs = 0, everyMinMs = 0 } = checkOption(LISTS.lists, lists, 'lists', throwFault) ?? {}
  return {
    everyOf(asked) {
      if (asked !== undefined && (!Number.isInteger(asked) || asked < 0 || asked > EVERY_MAX_MS))
        throw badFilter('every', 'it is no time.', `Give whole milliseconds, 0 to ${EVERY_MAX_MS}.`)
      return Math.max(asked ?? everyMs, everyMinMs)
    },
  }
}
