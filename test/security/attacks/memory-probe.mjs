/** Loaded before the served process with `--expose-gc`: says what the process holds once all that nobody holds is collected. */
import { setImmediate as nextTurn } from 'node:timers/promises'

process.on('message', async (id) => {
  globalThis.gc()
  // What is freed by finalisers is garbage one turn later.
  await nextTurn()
  globalThis.gc()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  process.send({ id, liveBytes: heapUsed + arrayBuffers, rssBytes: rss })
})
// The process ends when its work does: it does not wait for the one who asks.
process.channel.unref()
