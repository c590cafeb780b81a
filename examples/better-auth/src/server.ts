// Live GraphQL at /graphql, Better Auth beside it, on one port.
import { toNodeHandler } from 'better-auth/node'
import { buildSchema } from 'graphql'
import { silentLogger } from 'rowcast'
import { authSessions } from 'rowcast/better-auth'
import { addChanges } from 'rowcast/graphql'
import { createServer } from 'rowcast/server'
import { auth, rowcast } from './auth.ts'

await auth.$context // the models are registered
await rowcast.enable()
rowcast.start()

const server = createServer({
  ...authSessions(auth),
  schema: addChanges(buildSchema('type Query { hello: String }'), rowcast, {
    models: { User: {}, Session: {} },
  }),
  port: Number(process.env['PORT'] ?? 4000),
  otherRequests: toNodeHandler(auth), // or your Express application, with Better Auth in it
  health: () => ({ isReady: rowcast.status().state === 'streaming', details: {} }),
  logger: silentLogger,
})
const { url } = await server.listen()
await rowcast.ready()
console.log(`Better Auth: ${url}/api/auth`)
console.log(`Live GraphQL: ${url}/graphql`)

process.once('SIGTERM', async () => {
  server.refuse()
  // Subscribers are shown where to go on.
  await rowcast.stop({ tellsSubscribers: true })
  await server.drain()
  await server.close()
})
