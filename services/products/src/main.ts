/** Owns the process: products in the real world. */
import { runService } from '@quartet/kit/run-service'
import { productsService } from './app.ts'

await runService(productsService)
