/** Owns the pictures of the demo catalog: one for each product, drawn here, in one manner. */
import { audio } from './audio.ts'
import { books } from './books.ts'
import { clothing } from './clothing.ts'
import { furniture } from './furniture.ts'
import { kitchen } from './kitchen.ts'
import { lighting } from './lighting.ts'
import { office } from './office.ts'
import { outdoors } from './outdoors.ts'
import type { Pictures } from './scene.ts'

/** Where the shop's pages have them: at `/pictures/<product id>.svg`. */
export const FOLDER = new URL('../../web/storefront/public/pictures/', import.meta.url)

export const pictures: Pictures = {
  ...furniture,
  ...kitchen,
  ...lighting,
  ...books,
  ...outdoors,
  ...clothing,
  ...office,
  ...audio,
}
