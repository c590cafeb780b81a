// Does something for each order that is paid, and for each that is deleted, and keeps its place over restarts.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { isRowcastError } from 'rowcast'
import { rowcast } from './rowcast.ts'

const PLACE = 'place.txt'

/** Goes through the changes after the cursor; returns when the worker is stopped. */
async function work(after: string): Promise<void> {
  console.log(`goes on after ${after}`)
  const paid = { action: ['UPDATE', 'DELETE'], where: { status: 'PAID' }, after } as const
  for await (const change of rowcast.subscribe('Order', paid)) {
    const id = change.key?.id
    // The type follows the action: a deleted order has no `new`.
    if (change.action === 'DELETE') console.log(`deleted: order ${id} of ${change.old?.total.toFixed(2)}`)
    else if (change.changed.includes('status'))
      console.log(`paid: order ${id}, ${change.new.total.toFixed(2)}`)
    // Once the work is done: a worker that dies before it does the work again, and loses none.
    await writeFile(`${PLACE}.new`, change.cursor)
    await rename(`${PLACE}.new`, PLACE)
  }
}

await rowcast.enable()
rowcast.start()
process.once('SIGTERM', () => rowcast.stop())
await rowcast.ready()
try {
  await work(await readFile(PLACE, 'utf8').catch(() => 'earliest'))
} catch (error) {
  if (!isRowcastError(error) || error.code !== 'RESYNC_REQUIRED') throw error
  // No order was paid for longer than changes are retained. The slot is this worker's own: what it retains begins
  // before all that the worker has not seen, and with some that it has.
  await work('earliest')
}
