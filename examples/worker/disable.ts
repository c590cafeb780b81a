// Takes away what the worker made in the database: slot, publication, replica identity.
import { rowcast } from './rowcast.ts'

for (const { sql } of await rowcast.disable()) console.log(sql)
