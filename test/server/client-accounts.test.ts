/** What a client's filters may cost is counted for its connection, its address and the server. */
import { describe, expect, it } from 'vitest'
import { createClientAccounts } from '../../src/server/limits/client-accounts.ts'
import { DEFAULT_LIMITS } from '../../src/server/limits/limits.ts'

describe('the cost of filters', () => {
  it('is bounded for a connection, for an address and for the server', () => {
    const accounts = createClientAccounts({
      ...DEFAULT_LIMITS,
      ...{ filterCostPerSocketMax: 100, filterCostPerAddressMax: 150, filterCostMax: 200 },
    })
    const [first, second, other] = ['192.0.2.1', '192.0.2.1', '192.0.2.2'].map((each) => accounts.open(each))
    first?.begin(100, false)
    expect(() => first?.begin(1, false)).toThrow('[FILTER_TOO_COSTLY]')
    expect(() => second?.begin(51, false)).toThrow('[FILTER_TOO_COSTLY]')
    second?.begin(50, false)
    expect(() => other?.begin(51, false)).toThrow('[FILTER_TOO_COSTLY]')
    first?.endFilter(100)
    other?.begin(51, false)
  })

  it('is one for all connections of an address, however many addresses come meanwhile', () => {
    const limits = { filterCostPerSocketMax: 100, filterCostPerAddressMax: 150 }
    const accounts = createClientAccounts({ ...DEFAULT_LIMITS, ...limits })
    const early = accounts.open('192.0.2.1')
    for (let n = 0; n < 2_000; n += 1) accounts.open(`198.18.${n >> 8}.${n & 0xff}`)
    const late = accounts.open('192.0.2.1')
    early.begin(100, false)
    expect(() => late.begin(51, false)).toThrow('[FILTER_TOO_COSTLY]')
  })

  it('is one for all connections of a viewer, from whatever addresses, and for nobody else', () => {
    const limits = { filterCostPerSocketMax: 100, filterCostPerViewerMax: 150, replaysPerViewerMax: 2 }
    const accounts = createClientAccounts({ ...DEFAULT_LIMITS, ...limits })
    const [phone, laptop] = [accounts.open('192.0.2.1', 7), accounts.open('198.51.100.1', '7')]
    const others = [accounts.open('192.0.2.1', '8'), accounts.open('192.0.2.1'), accounts.open('::1', null)]
    phone.begin(100, true)
    expect(() => laptop.begin(51, false)).toThrow('[FILTER_TOO_COSTLY]')
    laptop.begin(50, true)
    expect(() => laptop.begin(0, true)).toThrow('[TOO_MANY_REPLAYS]')
    for (const other of others) other.begin(100, true)
    phone.endFilter(100)
    phone.endReplay()
    laptop.begin(50, true)
  })

  it.each([
    '',
    ' ',
    'undefined',
    'null',
    'NaN',
    '[object Object]',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
  ])("is nobody else's for the key %j, which names nobody", (key) => {
    const accounts = createClientAccounts({ ...DEFAULT_LIMITS, filterCostPerViewerMax: 100 })
    const strangers = ['192.0.2.1', '198.51.100.1'].map((address) => accounts.open(address, key))
    for (const stranger of strangers) stranger.begin(100, false)
  })

  it.each([0, -1, 0n, '0', 'ada', ' ada'])('is one for the key %s, which names somebody', (key) => {
    const accounts = createClientAccounts({ ...DEFAULT_LIMITS, filterCostPerViewerMax: 100 })
    accounts.open('192.0.2.1', key).begin(100, false)
    expect(() => accounts.open('198.51.100.1', key).begin(1, false)).toThrow('[FILTER_TOO_COSTLY]')
  })
})
