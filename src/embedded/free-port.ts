/** Beside the spine, embedded. Ports of 127.0.0.1 that nobody listens on. The package takes a port, and fails where it is not free. */
import { createServer } from 'node:net'

/** A port that is free now; somebody else may take it before we do, so whoever uses it retries. */
export async function findFreePort(): Promise<number> {
  const port = await tryListen(0)
  if (port === null) throw new Error('The operating system has no free port.')
  return port
}

/** Whether one could listen on the port now. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryListen(port)) !== null
}

function tryListen(port: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null))
    })
  })
}
