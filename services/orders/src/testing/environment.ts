/** Owns the environment that tests read their config from. */
import { testServiceKeyFile } from '@quartet/kit/testing'

/** Settings for tests: a fresh service key, neighbours under names that only a test network knows. */
export async function testEnvironment(changes: NodeJS.ProcessEnv = {}): Promise<NodeJS.ProcessEnv> {
  return {
    DATABASE_URL: 'postgres://unused',
    SERVICE_KEY_FILE: await testServiceKeyFile(),
    USERS_URL: 'http://users.test',
    PRODUCTS_URL: 'http://products.test',
    PAYMENTS_URL: 'http://payments.test',
    ...changes,
  }
}
