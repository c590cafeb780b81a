/** The distributed world: two taps, Redis and two gateways as processes, with a proxy on every line between them. */
import { openRedis, type TestRedis } from '../support/redis.ts'
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { createServedRowcast, type ServedRowcast } from './served-rowcast.ts'
import { openSets } from './sets.ts'
import { openCrowd, openParts, openStage, type WorldBase, type WorldOptions } from './stage.ts'

/** One process and its line to Redis. */
export interface ServedRole {
  readonly served: ServedRowcast
  readonly redisProxy: TcpProxy
}

/** A gateway and the line of its clients. */
export interface ServedGateway extends ServedRole {
  readonly clientProxy: TcpProxy
}

/** What a distributed run works with. */
export interface DistributedWorld extends WorldBase {
  readonly redis: TestRedis
  readonly taps: readonly ServedRole[]
  readonly gateways: readonly ServedGateway[]
}

/** Starts everything but the writers. */
export function openDistributedWorld(options: WorldOptions): Promise<DistributedWorld> {
  return openParts(options, (closing, close) => buildWorld(options, closing, close))
}

async function buildWorld(
  options: WorldOptions,
  closing: AsyncDisposable[],
  close: () => Promise<void>,
): Promise<DistributedWorld> {
  const { onTrouble } = options
  const stage = await openStage(options, closing)
  const redis = await openRedis({ isDurable: true })
  closing.push(redis)

  async function serve(role: 'tap' | 'gateway', number: number): Promise<ServedRole> {
    const redisProxy = await openTcpProxy(redis.port)
    closing.push(redisProxy)
    const served = await createServedRowcast({
      ...{ name: `${role} ${number}`, databaseUrl: stage.site.databaseUrl, onCrash: onTrouble },
      arguments: ['--role', role],
      env: {
        REDIS_URL: `redis://127.0.0.1:${redisProxy.port}`,
        ROWCAST_CHAOS_RETAIN: options.retain ?? '',
        ROWCAST_CHAOS_SETS: options.hasSets === true ? 'yes' : '',
      },
    })
    closing.push(served)
    await served.start()
    return { served, redisProxy }
  }

  async function serveGateway(number: number): Promise<ServedGateway> {
    const role = await serve('gateway', number)
    const clientProxy = await openTcpProxy(role.served.port)
    closing.push(clientProxy)
    return { ...role, clientProxy }
  }

  const taps = await Promise.all([serve('tap', 1), serve('tap', 2)])
  const gateways = await Promise.all([serveGateway(1), serveGateway(2)])
  const urls = gateways.map(({ clientProxy }) => `http://127.0.0.1:${clientProxy.port}`)
  const crowd = await openCrowd(options, stage, urls, closing)
  const sets = openSets(options, stage, urls, closing)
  return {
    ...stage,
    ...crowd,
    ...{ redis, taps, gateways, sets, gaps: [] },
    clientProxies: gateways.map(({ clientProxy }) => clientProxy),
    restartAll:
      options.retain === 'nothing'
        ? null
        : async () => {
            const all = [...taps, ...gateways].map(({ served }) => served)
            await Promise.all(all.map((served) => served.kill()))
            await Promise.all(all.map((served) => served.start()))
          },
    databaseProxies: taps.map(({ served }) => served.databaseProxy),
    get lines() {
      return [...taps, ...gateways].flatMap(({ served }) =>
        served.lines.slice(-40).map((line) => `${served.name}: ${line}`),
      )
    },
    async [Symbol.asyncDispose]() {
      await stage.writer.stop().catch((error: unknown) => onTrouble(`The writers failed: ${String(error)}`))
      await close()
    },
  }
}
