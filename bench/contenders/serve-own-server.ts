/** rowcast's pipeline in a server of the team's own: the plugin in its Yoga, and `useServer` in place of graphql-ws's. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createYoga } from 'graphql-yoga'
import { WebSocketServer } from 'ws'
import { boundGarbage } from '../../src/cli/bound-garbage.ts'
import { silentLogger } from '../../src/logger.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { createHandlers } from '../../src/server/create-server.ts'
import { ORDERS_CATALOG } from '../orders.ts'
import { ownSchema } from './own-schema.ts'

const PATH = '/graphql'

async function start({ url, slot }: { readonly url: string; readonly slot: string }) {
  boundGarbage()
  const options = { connectionString: url, catalog: ORDERS_CATALOG, slot, logger: silentLogger }
  const rowcast = createRowcast(options).register('Order')
  rowcast.start()
  await rowcast.ready()
  const schema = ownSchema(rowcast)
  const live = createHandlers({ schema, logger: silentLogger, context: () => ({ context: {} }) })
  const http = createServer(createYoga({ schema, logging: false, plugins: [live.yogaPlugin] }))
  live.useServer(new WebSocketServer({ server: http, path: PATH }))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return { port: (http.address() as AddressInfo).port, path: PATH }
}

export const commands = { start }
