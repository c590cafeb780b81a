import { createRowcast } from 'rowcast'
import { catalog } from './generated/rowcast.ts'

const connectionString = process.env['DATABASE_URL'] ?? ''
export const rowcast = createRowcast({ connectionString, catalog, slot: 'worker' }).register('Order')
