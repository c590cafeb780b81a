/** What networks do to a connection: cut, refused, stalled, late, slow, silent, in pieces, halved. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ProxyShape, TcpProxy } from '../support/tcp-proxy.ts'
import type { FaultKind } from './fault-kind.ts'
import type { Random } from './random.ts'

/** Each kind of a bad network between rowcast and `whom`. */
export function proxyFaults<W>(
  whom: string,
  proxyOf: (world: W, random: Random) => TcpProxy,
): FaultKind<W>[] {
  const whileShaped = async (proxy: TcpProxy, shape: ProxyShape, ms: number) => {
    proxy.shape(shape)
    await delay(ms)
    proxy.shape(null)
    return true
  }
  return [
    {
      name: `cut the connections of ${whom}`,
      async inject(world, random) {
        const proxy = proxyOf(world, random)
        for (let cuts = random.integer(1, 4); cuts > 0; cuts -= 1) {
          proxy.cut()
          await delay(random.integer(0, 150))
        }
        return true
      },
    },
    {
      name: `refuse new connections of ${whom}`,
      async inject(world, random) {
        const proxy = proxyOf(world, random)
        proxy.refuse(true)
        proxy.cut()
        await delay(random.integer(100, 1_000))
        proxy.refuse(false)
        return true
      },
    },
    {
      name: `stall the connections of ${whom}`,
      async inject(world, random) {
        const proxy = proxyOf(world, random)
        proxy.stall()
        await delay(random.integer(200, 2_500))
        // Some stalled connections never come back to life.
        if (random.chance(0.5)) proxy.cut()
        proxy.resume()
        return true
      },
    },
    {
      name: `delay what goes to and from ${whom}`,
      inject: (world, random) =>
        whileShaped(
          proxyOf(world, random),
          { delayMs: () => random.integer(0, 120), pieceBytes: () => 1 << 20 },
          random.integer(300, 1_500),
        ),
    },
    {
      name: `cut what goes to and from ${whom} to pieces`,
      inject: (world, random) =>
        whileShaped(
          proxyOf(world, random),
          { delayMs: () => 0, pieceBytes: () => (random.chance(0.5) ? 1 : random.integer(2, 200)) },
          random.integer(300, 1_500),
        ),
    },
    {
      name: `slow down what goes to and from ${whom}, from the n-th byte on`,
      inject: (world, random) => {
        const [pieceBytes, pieceDelayMs] = [random.integer(200, 4_000), random.integer(5, 40)]
        return whileShaped(
          proxyOf(world, random),
          {
            ...{ delayMs: () => 0, pieceBytes: () => pieceBytes, pieceDelayMs: () => pieceDelayMs },
            afterBytes: nthByte(random),
          },
          random.integer(300, 3_000),
        )
      },
    },
    {
      name: `the connections of ${whom} fall silent from the n-th byte on; new ones live`,
      async inject(world, random) {
        proxyOf(world, random).silence(nthByte(random))
        await delay(random.integer(0, 500))
        return true
      },
    },
    {
      name: `all connections of ${whom} fall silent, each from its n-th byte on, for a while`,
      async inject(world, random) {
        const proxy = proxyOf(world, random)
        const afterBytes = nthByte(random)
        proxy.silence(afterBytes, true)
        // New ones get as far as that byte.
        proxy.cut()
        await delay(random.integer(200, 4_000))
        proxy.silence(null)
        return true
      },
    },
    {
      name: `halve a write to or from ${whom}, then cut`,
      async inject(world, random) {
        const proxy = proxyOf(world, random)
        for (let times = random.integer(1, 3); times > 0; times -= 1) {
          proxy.halve()
          await delay(random.integer(50, 300))
        }
        return true
      },
    },
  ]
}

/** The byte at which a link fails: of a handshake, of the first queries, of the stream. */
function nthByte(random: Random): number {
  return random.integer(0, 10 ** random.integer(1, 6))
}
