/** Owns `npm run pictures`: writes all pictures of the demo catalog to where the shop's pages have them. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { runProgram } from '../explained.ts'
import { FOLDER, pictures } from './pictures.ts'

async function main(): Promise<void> {
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  for (const [id, picture] of Object.entries(pictures)) {
    writeFileSync(new URL(`${id}.svg`, FOLDER), picture)
  }
  console.log(`${Object.keys(pictures).length} pictures are drawn: ${FOLDER.pathname}`)
}

await runProgram(main)
