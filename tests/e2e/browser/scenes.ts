/** Owns every page and state of the shop that is looked at: by axe, and by whoever looks at the pictures. */
import { account } from './scenes/account.ts'
import { afterwards } from './scenes/afterwards.ts'
import { buying } from './scenes/buying.ts'
import { looking } from './scenes/looking.ts'
import type { Scene } from './scenes/scene.ts'

export const SCENES: Scene[] = [...looking, ...buying, ...afterwards, ...account]
