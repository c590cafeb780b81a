/** Everything a run is made of: PostgreSQL, rowcast behind proxies, writers and subscribers; all of it goes at the end. */
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { createServedRowcast, type ServedRowcast } from './served-rowcast.ts'
import { openSets } from './sets.ts'
import { openCrowd, openParts, openStage, type WorldBase, type WorldOptions } from './stage.ts'

/** The slot of all rowcasts of a run: they take turns. */
export const SLOT = 'rowcast'

/** What a run works with. */
export interface World extends WorldBase {
  /** Between the clients and whichever rowcast serves them. */
  readonly clientProxy: TcpProxy
  /** The rowcast that clients reach. */
  readonly serving: ServedRowcast
  /** Makes another one; it does not run yet. */
  prepareSecond(): Promise<ServedRowcast>
  /** Lets clients reach that one from now on; the one before is for the caller to end. */
  serveWith(rowcast: ServedRowcast): void
}

/** Starts everything but the writers. */
export function openWorld(options: WorldOptions): Promise<World> {
  return openParts(options, (closing, close) => buildWorld(options, closing, close))
}

async function buildWorld(
  options: WorldOptions,
  closing: AsyncDisposable[],
  close: () => Promise<void>,
): Promise<World> {
  const { signal, onTrouble } = options
  const stage = await openStage(options, closing)
  let served = 0
  const createServed = async () => {
    signal.throwIfAborted()
    served += 1
    const rowcast = await createServedRowcast({
      ...{ name: `rowcast ${served}`, databaseUrl: stage.site.databaseUrl, onCrash: onTrouble },
      env: {
        ROWCAST_CHAOS_RETAIN: options.retain ?? '',
        ROWCAST_CHAOS_SETS: options.hasSets === true ? 'yes' : '',
      },
    })
    closing.push(rowcast)
    return rowcast
  }
  let serving = await createServed()
  const clientProxy = await openTcpProxy(serving.port, {
    intercept: (bytes, flow) => serving.trap.clientBytes(bytes, flow),
  })
  closing.push(clientProxy)
  await serving.start()
  const urls = [`http://127.0.0.1:${clientProxy.port}`]
  const crowd = await openCrowd(options, stage, urls, closing)
  const sets = openSets(options, stage, urls, closing)

  return {
    ...stage,
    ...crowd,
    ...{ sets, clientProxy, clientProxies: [clientProxy], gaps: [] },
    restartAll:
      options.retain === 'nothing'
        ? null
        : async () => {
            await serving.kill()
            await serving.start()
          },
    get databaseProxies() {
      return [serving.databaseProxy]
    },
    get serving() {
      return serving
    },
    get lines() {
      return serving.lines
    },
    prepareSecond: createServed,
    serveWith(rowcast) {
      serving = rowcast
      clientProxy.retarget(rowcast.port)
      clientProxy.cut()
    },
    async [Symbol.asyncDispose]() {
      await stage.writer.stop().catch((error: unknown) => onTrouble(`The writers failed: ${String(error)}`))
      await close()
    },
  }
}
