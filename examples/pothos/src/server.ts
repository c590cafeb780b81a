// Any GraphQL server that knows subscriptions: here Yoga, with SSE, and graphql-ws beside it.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { useServer } from 'graphql-ws/use/ws'
import { createYoga } from 'graphql-yoga'
import { WebSocketServer } from 'ws'
import { rowcast, schema } from './schema.ts'

await rowcast.enable()
rowcast.start()

const http = createServer(createYoga({ schema, logging: false }))
const sockets = useServer(
  { schema, context: () => ({}) },
  new WebSocketServer({ server: http, path: '/graphql' }),
)
http.listen(Number(process.env['PORT'] ?? 4000), '127.0.0.1', async () => {
  await rowcast.ready()
  const { port } = http.address() as AddressInfo
  console.log(`GraphiQL, with live orders: http://127.0.0.1:${port}/graphql`)
})

process.once('SIGTERM', async () => {
  // Whoever has a socket comes back once it is closed, and would take the end of a subscription on an open one for final.
  await sockets.dispose()
  // Subscribers by event stream are shown where to go on.
  await rowcast.stop({ tellsSubscribers: true })
  http.close()
  http.closeAllConnections()
})
