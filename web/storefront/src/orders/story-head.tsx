/** Owns the head of an order: the sentence of where it stands, and its way. */
import type { Order } from '../api/contracts.ts'
import { Icon } from '../parts/icon.tsx'
import { isMoving, stepsOf, storyOf, type StepState } from './story.ts'

export function StoryHead({ order }: { order: Order }) {
  const { title, text } = storyOf(order)
  const isOnTheWay = order.status !== 'canceled' && order.status !== 'canceling'
  return (
    <header>
      <p className="text-soft tabular-nums [overflow-wrap:anywhere]">Order {order.id}</p>
      {/* What happens to it is said when it happens. */}
      <div role="status" aria-atomic="true">
        <h1 key={title} className="rise mt-2 max-w-[18em] text-title">
          {title}
        </h1>
        <p className="mt-3 max-w-read text-[1.1rem] text-soft">{text}</p>
      </div>
      {isOnTheWay && <Steps order={order} />}
      {isMoving(order) && (
        <div
          className="mt-7 h-1.5 max-w-2xl overflow-hidden rounded-full bg-tile"
          aria-hidden="true"
        >
          <div className="h-full w-1/3 animate-[sweep_1.8s_ease-in-out_infinite] rounded-full bg-saffron" />
        </div>
      )}
    </header>
  )
}

const LOOK: Record<StepState, string> = {
  done: 'bg-plum text-on-plum border-plum',
  now: 'border-plum text-plum',
  next: 'border-line text-soft',
}

function Steps({ order }: { order: Order }) {
  return (
    <ol className="mt-8 flex max-w-2xl">
      {stepsOf(order).map(({ name, state }, place) => (
        <li
          key={name}
          aria-current={state === 'now' ? 'step' : undefined}
          className="relative flex-1 last:flex-none"
        >
          <span
            className={`absolute top-3.5 left-8 -right-0 h-0.5 ${place === 3 ? 'hidden' : ''} ${state === 'done' ? 'bg-plum' : 'bg-line'}`}
            aria-hidden="true"
          />
          <span
            className={`relative grid size-8 place-items-center rounded-full border-2 bg-paper ${LOOK[state]}`}
            aria-hidden="true"
          >
            {state === 'done' ? (
              <Icon name="check" size={16} />
            ) : (
              <span className={`size-2.5 rounded-full ${state === 'now' ? 'bg-saffron' : ''}`} />
            )}
          </span>
          <span
            className={`mt-2 block text-[0.95rem] ${state === 'next' ? 'text-soft' : 'font-semibold'}`}
          >
            {name}
            <span className="sr-only">
              {state === 'done' ? ': done' : state === 'now' ? ': now' : ': to come'}
            </span>
          </span>
        </li>
      ))}
    </ol>
  )
}
