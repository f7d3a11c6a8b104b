/** Owns the pictures of books: each stands half turned, so that its spine, its cover and its pages are seen. */
import { circle, dots, ellipse, faded, line, path, rect, transformed, type Shape } from './pen.ts'
import { shadow, standing, type Pictures } from './scene.ts'
import {
  birch,
  brass,
  clay,
  coal,
  INK,
  oak,
  PAPER,
  pine,
  plum,
  ROOMS,
  rose,
  saffron,
  sage,
  sea,
  steel,
  type Tone,
} from './tones.ts'

const room = ROOMS.Books
const GROUND = 398
/** How far the cover and the spine turn away, in degrees. */
const [COVER_TURN, SPINE_TURN] = [5, 24]
const rise = (length: number, degrees: number) =>
  Math.round(length * Math.tan((degrees * Math.PI) / 180))

type Book = { width: number; height: number; depth: number; tone: Tone }

/**
 * A book whose nearest edge stands at `x`. `cover` draws on it as if it were flat: from 0 0 in the upper
 * left, `width` wide and `height` high.
 */
function book(
  x: number,
  { width, height, depth, tone }: Book,
  spine: Shape[],
  cover: Shape[],
): Shape[] {
  const top = GROUND - height
  const [up, back] = [rise(width, COVER_TURN), rise(depth, SPINE_TURN)]
  return [
    shadow(x + width / 2 - 8, GROUND - 4, width / 2 + depth, 16),
    path(`M${x} ${top}l${width} ${-up}l${-depth} ${-back}l${-width} ${up}z`, tone.dark),
    path(
      `M${x + 6} ${top}l${width - 12} ${8 - up}l${-depth} ${-back + 6}l${-width + 8} ${up - 8}z`,
      PAPER,
    ),
    faded(
      0.5,
      line(
        `M${x - depth * 0.25} ${top - back * 0.3}l${width - 8} ${8 - up}M${x - depth * 0.6} ${top - back * 0.66}l${width - 8} ${8 - up}`,
        birch.dark,
        1.5,
      ),
    ),
    transformed(
      `translate(${x - depth} ${top - back}) skewY(${SPINE_TURN})`,
      rect(0, 0, depth, height, tone.dark),
      ...spine,
    ),
    transformed(
      `translate(${x} ${top}) skewY(${-COVER_TURN})`,
      rect(0, 0, width, height, tone.base),
      ...cover,
      faded(0.14, rect(0, 0, 9, height, INK), rect(12, 0, 2, height, INK)),
    ),
  ]
}

const bands = (depth: number, fill: string, ...places: number[]) =>
  places.map((y) => rect(0, y, depth, 7, fill))

export const books: Pictures = {
  'prd_tidal-atlas': standing(
    room,
    ...book(134, { width: 254, height: 292, depth: 40, tone: sea }, bands(40, PAPER, 30, 256), [
      rect(26, 20, 208, 252, PAPER),
      circle(166, 84, 34, saffron.light),
      path('M26 150c28-22 50-22 76-4s54 18 78 0 36-16 54-6v132H26z', sea.light),
      path('M26 186c26-18 52-18 78 0s52 18 78 0 34-14 52-8v94H26z', sea.base),
      path('M26 224c26-16 52-16 78 0s52 16 78 0 34-12 52-6v54H26z', sea.dark),
      faded(
        0.8,
        line(
          'M44 168c16-10 30-10 46 0M120 204c18 8 30 8 48 0M52 240c16-8 30-8 44 0M150 246c18 8 32 6 48-4',
          PAPER,
          3,
        ),
      ),
    ]),
  ),
  'prd_bread-book': standing(
    room,
    ...book(
      150,
      { width: 218, height: 270, depth: 46, tone: saffron },
      bands(46, clay.dark, 40, 52, 212),
      [
        faded(0.25, ellipse(114, 194, 84, 12, INK)),
        path('M30 168c0-58 38-84 84-84s84 26 84 84c0 20-30 28-84 28s-84-8-84-28z', '#a5612f'),
        path('M30 168c0-58 38-84 84-84-34 14-52 52-46 108-24-4-38-12-38-24z', '#c4803f'),
        line('M78 112c10 20 10 42 2 62M112 98c10 26 10 52 0 80M148 108c8 20 8 42 0 64', PAPER, 7),
        line('M66 236h96', clay.dark, 4),
        dots('M80 226h80M80 246h80', clay.dark, 7, 16),
        rect(90, 40, 48, 6, clay.dark, 3),
      ],
    ),
  ),
  'prd_night-trains': standing(
    room,
    ...book(
      156,
      {
        width: 200,
        height: 282,
        depth: 44,
        tone: { base: '#2c3557', light: '#45507a', dark: '#1d2440' },
      },
      bands(44, saffron.base, 34, 46, 240),
      [
        circle(144, 58, 26, saffron.light),
        circle(133, 52, 22, '#2c3557'),
        dots('M34 40l30 26M60 104l80-8M170 118l-130-72', PAPER, 4, 31),
        path('M14 204c40-50 70-30 90-64 30 10 60 40 96 24v118H14z', '#45507a'),
        path('M92 282 100 176h8l36 106z', '#1d2440'),
        faded(
          0.7,
          line(
            'M98 282 103 190M134 282 107 190M96 268h36M98 248h26M100 230h18M101 214h11',
            steel.base,
            3,
          ),
        ),
        path('M76 166a14 14 0 0 1 14-14h30a14 14 0 0 1 14 14v58H76z', clay.base),
        path('M76 166a14 14 0 0 1 14-14h8v72H76z', clay.light),
        path('M86 164h38v22H86z', '#1d2440'),
        circle(90, 206, 6, saffron.light),
        circle(120, 206, 6, saffron.light),
        faded(0.2, path('M90 206 40 282h58zM120 206l60 76h-62z', saffron.light)),
      ],
    ),
  ),
  'prd_small-gardens': standing(
    room,
    ...book(146, { width: 226, height: 262, depth: 38, tone: sage }, bands(38, PAPER, 30, 224), [
      path('M44 206V92a70 70 0 0 1 140 0v114z', PAPER),
      path('M56 206V92a58 58 0 0 1 116 0v114z', '#bcd7dd'),
      circle(140, 82, 17, saffron.base),
      line('M114 34v172M56 116h116', PAPER, 6),
      path('M56 178h34l-5 30H61zM96 184h36l-5 24h-26zM138 176h34l-5 32h-24z', clay.base),
      line(
        'M73 178c-2-26-12-30-16-42M73 178c2-22 10-30 16-38M155 176c0-24-8-30-14-36M155 176c2-24 10-28 16-38',
        pine.base,
        5,
      ),
      path(
        'M114 184c-22-6-26-24-20-40 14 6 22 20 20 40zM114 184c22-6 26-24 20-40-14 6-22 20-20 40z',
        pine.light,
      ),
      ...[
        [57, 134],
        [90, 138],
        [140, 138],
        [172, 136],
      ].map(([x = 0, y = 0], index) => circle(x, y, 8, index % 2 === 0 ? rose.base : plum.light)),
      rect(36, 206, 156, 12, oak.light),
    ]),
  ),
  'prd_ink-and-paper': standing(
    room,
    ...book(
      158,
      {
        width: 196,
        height: 286,
        depth: 52,
        tone: { base: '#f1e4cd', light: '#fbf3e2', dark: '#d6c19c' },
      },
      bands(52, INK, 36, 48, 244),
      [
        path('M100 30c34 56 62 84 62 130a62 62 0 0 1-124 0c0-46 28-74 62-130z', INK),
        path('M62 162c0 22 12 38 30 44-4-16-4-30 2-50-14-2-26-4-32 6z', plum.base),
        path('M100 96l24 52-16 62h-16l-16-62z', brass.base),
        path('M100 96l24 52-16 62h-8z', brass.dark),
        line('M100 104v50', INK, 3),
        circle(100, 158, 6, INK),
        line('M40 252c22-12 30 10 52 0s26-12 40-2 18 2 26-4', INK, 4),
      ],
    ),
  ),
  'prd_mountain-novel': standing(
    room,
    ...book(162, { width: 190, height: 280, depth: 56, tone: clay }, bands(56, PAPER, 32, 236), [
      circle(104, 84, 40, saffron.light),
      path('M12 190 74 96l34 50 32-40 50 78v96H12z', plum.base),
      path('M74 96l-24 36 22-6 12 14 12-12zM140 106l-16 22 14 2 12 10 6-10z', PAPER),
      path('M12 206c50-24 120-22 178 4v70H12z', plum.dark),
      path(
        'M96 190c-30 14 44 18 30 36s-70 22-64 54h62c-20-26 26-36 34-54 10-24-50-22-46-36z',
        rose.light,
      ),
      path('M150 236l8-24 8 24zM166 244l7-22 7 22zM34 240l8-26 8 26z', pine.base),
    ]),
  ),
  'prd_field-notes-birds': standing(
    room,
    ...book(
      178,
      { width: 164, height: 224, depth: 34, tone: pine },
      bands(34, brass.base, 28, 190),
      [
        path('M0 0h164v224H0z', pine.base),
        circle(86, 104, 62, PAPER),
        line('M26 150c40-14 80-8 118-20', oak.dark, 7),
        path('M132 128c10-14 18-14 24-12-2 10-12 16-24 12z', pine.light),
        path(
          'M58 88c2-22 20-34 38-28 16 6 24 18 24 34 0 26-18 42-40 42-14 0-24-6-28-16l-18 22-8-6 14-26c6-10 12-16 18-22z',
          sea.base,
        ),
        path(
          'M74 112c-4 16 4 24 16 24 18-2 30-18 30-42 0-8-2-14-6-20-10 26-24 36-40 38z',
          clay.base,
        ),
        path('M118 78l18 5-16 8z', saffron.base),
        circle(106, 76, 4, INK),
        line('M84 136v10M96 134v10', coal.base, 3),
        path('M54 92c8 6 20 10 28 8-6 14-20 22-34 18z', sea.dark),
        rect(152, 0, 12, 224, brass.base),
      ],
    ),
  ),
  'prd_repair-manual': standing(
    room,
    ...book(
      142,
      {
        width: 224,
        height: 288,
        depth: 58,
        tone: { base: '#d8dcd9', light: '#eef0ee', dark: '#a9b1b0' },
      },
      bands(58, clay.base, 34, 50, 240),
      [
        rect(0, 0, 224, 64, clay.base),
        dots('M40 32h150', PAPER, 8, 24),
        transformed(
          'rotate(42 112 170)',
          rect(102, 118, 20, 132, steel.dark, 8),
          path(
            'M80 104c0-20 14-34 22-38v32h20V66c8 4 22 18 22 38s-14 32-32 32-32-12-32-32z',
            steel.dark,
          ),
        ),
        transformed(
          'rotate(-42 112 170)',
          path('M100 196h24l5 62a17 17 0 0 1-34 0z', saffron.base),
          path('M100 196h10l-6 78c-6-3-9-9-9-16z', saffron.light),
          rect(104, 100, 16, 98, coal.base),
          path('M104 100l2-20h12l2 20z', coal.base),
        ),
      ],
    ),
  ),
}
