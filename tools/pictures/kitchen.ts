/** Owns the pictures of what a kitchen needs. */
import { circle, dots, ellipse, faded, line, path, rect, turned } from './pen.ts'
import { lying, shadow, standing, type Pictures } from './scene.ts'
import {
  brass,
  clay,
  coal,
  copper,
  INK,
  linen,
  oak,
  PAPER,
  pine,
  ROOMS,
  saffron,
  sea,
  steel,
  walnut,
  birch,
} from './tones.ts'

const room = ROOMS.Kitchen

const skillet = path('M226 330a128 128 0 1 1 28 0l-2 16 8 84a20 20 0 0 1-40 0l8-84z', INK)
const blade = path('M50 236c60-26 170-32 226-32v66H148c-46 0-84-14-98-34z', INK)

export const kitchen: Pictures = {
  'prd_cast-iron-skillet': lying(
    room,
    turned(-38, skillet),
    turned(
      -38,
      path('M226 326h28l8 104a22 22 0 0 1-44 0z', coal.base),
      path('M226 326h12l-2 126c-12-2-19-11-18-22z', coal.light),
      ellipse(240, 428, 8, 13, room.disc),
      path('M112 168c-18 8-24 20-18 46l24-4zM368 168c18 8 24 20 18 46l-24-4z', coal.base),
      circle(240, 208, 132, coal.base),
      circle(240, 208, 120, coal.light),
      circle(240, 208, 112, coal.dark),
    ),
    path(
      'M186 168c26-22 58-4 78-12 34-10 58 24 42 54-8 16 2 40-22 54-24 12-46-6-68 2-30 8-62-12-54-44 4-18 6-40 24-54z',
      PAPER,
    ),
    circle(238, 214, 31, saffron.base),
    path('M214 200a31 31 0 0 1 38-12c-14 4-28 14-32 30a31 31 0 0 1-6-18z', saffron.light),
    line(
      'M158 262c6 18 20 32 40 40M160 270l18-6M170 284l18-8M184 294l16-10M164 276l-4-16M178 290l-8 12',
      pine.light,
      5,
    ),
  ),
  'prd_copper-saucepan': standing(
    room,
    shadow(206, 396, 122),
    path('M320 226c50-6 82-18 112-34a9 9 0 0 1 10 16c-34 22-72 36-122 40z', brass.base),
    path('M432 192a9 9 0 0 1 10 16l-18 10-10-16z', brass.dark),
    rect(86, 210, 240, 186, copper.base, 28),
    path('M114 210h58v186h-58a28 28 0 0 1-28-28V210z', copper.light),
    path('M262 210h64v158a28 28 0 0 1-28 28h-36z', copper.dark),
    rect(128, 226, 16, 130, '#f3bd9b', 8),
    rect(76, 200, 260, 22, copper.light, 11),
    path('M206 200h130a11 11 0 0 1-6 20H206z', copper.base),
    circle(330, 240, 6, brass.dark),
    circle(330, 262, 6, brass.dark),
    path('M92 200c0-40 66-54 114-54s114 14 114 54z', copper.base),
    path('M92 200c0-40 66-54 114-54-30 8-52 28-54 54z', copper.light),
    rect(180, 122, 52, 16, brass.base, 8),
    rect(198, 134, 16, 16, brass.dark),
  ),
  'prd_chef-knife': lying(
    room,
    turned(-34, blade, path('M276 204h120c30 0 40 20 36 38-2 8-10 10-22 8l-134-8z', INK)),
    turned(
      -34,
      path('M42 238c62-28 176-34 240-34v68H150c-48 0-92-14-108-34z', steel.light),
      path('M42 238c46 18 150 24 240 16v18H150c-48 0-92-14-108-34z', steel.base),
      faded(0.7, line('M110 226c50-10 110-13 160-13', PAPER, 4)),
      rect(276, 200, 24, 74, steel.dark, 4),
      path('M300 204h98c30 0 44 18 42 40-1 12-12 16-24 12-40-14-76-14-116-12z', walnut.base),
      path('M300 204h98c22 0 35 10 40 24-40-10-96-12-138-10z', walnut.light),
      ...[326, 364, 402].map((x) => circle(x, 229, 6.5, brass.light)),
    ),
  ),
  'prd_maple-cutting-board': lying(
    room,
    turned(-10, rect(104, 78, 272, 330, INK, 26)),
    turned(
      -10,
      rect(104, 78, 272, 330, oak.base, 26),
      ...[0, 1, 2, 3, 4, 5, 6].flatMap((row) =>
        [0, 1, 2, 3, 4].map((column) =>
          rect(
            118 + column * 49,
            92 + row * 43,
            48,
            42,
            [birch.base, oak.light, birch.light, '#dfb67e'][
              (row * 3 + column * 2 + ((row * column) % 3)) % 4
            ] ?? '',
          ),
        ),
      ),
      `<rect x="122" y="96" width="236" height="294" rx="16" fill="none" stroke="${oak.dark}" stroke-width="7"/>`,
      rect(206, 108, 68, 18, room.disc, 9),
    ),
    // half a lemon and a sprig
    circle(292, 284, 54, saffron.base),
    circle(292, 284, 45, '#fbeab8'),
    ...[0, 45, 90, 135].map(
      (angle) =>
        `<path d="M292 242v84" transform="rotate(${angle} 292 284)" stroke="${PAPER}" stroke-width="4"/>`,
    ),
    circle(292, 284, 8, PAPER),
    line('M170 330c20-20 34-48 38-84', pine.base, 4),
    path(
      'M208 246c-16-4-22-18-18-30 16 6 22 18 18 30zM202 272c16 0 26-10 28-22-16 0-26 8-28 22zM194 292c-18 0-26-10-28-22 16-2 28 8 28 22zM184 312c16 4 28-4 32-14-16-4-28 2-32 14z',
      pine.light,
    ),
  ),
  'prd_enamel-teapot': standing(
    room,
    shadow(236, 398, 134),
    line('M334 246c62-20 84 30 58 66-14 20-38 34-66 38', sea.base, 18),
    path(
      'M140 288c-34-4-44-38-56-66-4-10-14-14-26-14l4-18c34 0 50 12 60 36 8 18 16 28 34 32z',
      PAPER,
    ),
    path('M58 190l4 18h-8a6 6 0 0 1-4-16z', sea.base),
    path(
      'M126 300c0-66 44-104 110-104s110 38 110 104c0 44-16 76-34 94H160c-18-18-34-50-34-94z',
      PAPER,
    ),
    path('M300 216c30 18 46 48 46 84 0 44-16 76-34 94h-50c40-44 54-110 38-178z', linen.dark),
    path('M148 300c0-44 22-74 58-86-28 28-40 70-32 132-16-8-26-24-26-46z', '#ffffff'),
    rect(156, 386, 160, 10, sea.base, 5),
    path('M172 206c0-26 30-38 64-38s64 12 64 38z', PAPER),
    path('M250 168c30 2 50 14 50 38h-42c4-14 2-28-8-38z', linen.dark),
    rect(166, 202, 140, 9, sea.base, 4.5),
    circle(236, 156, 15, sea.base),
    circle(231, 151, 5, sea.light),
  ),
  'prd_stoneware-bowls': standing(
    room,
    shadow(200, 398, 112),
    shadow(342, 404, 84),
    ...[0, 1, 2].flatMap((index) => {
      const y = 318 - index * 44
      return [
        path(
          `M84 ${y}h232c0 46-40 74-76 76h-80c-36-2-76-30-76-76z`,
          ['#a79f95', '#b9b1a6', '#cbc4b8'][index] ?? '',
        ),
        path(
          `M84 ${y}h60c4 36 22 62 44 76h-28c-36-2-76-30-76-76z`,
          ['#bcb4a8', '#cdc6ba', '#ded8cd'][index] ?? '',
        ),
        ellipse(200, y, 116, 13, '#8d857b'),
      ]
    }),
    ellipse(200, 230, 116, 16, '#e4ded2'),
    ellipse(200, 232, 106, 12, '#8d857b'),
    path('M266 336h152c0 36-24 64-52 66h-48c-28-2-52-30-52-66z', '#b9b1a6'),
    path('M266 336h42c2 28 12 50 28 66h-18c-28-2-52-30-52-66z', '#d3ccc0'),
    ellipse(342, 336, 76, 15, '#e4ded2'),
    ellipse(342, 338, 68, 11, '#8d857b'),
    ellipse(342, 341, 54, 7, clay.base),
    faded(0.5, dots('M120 352h160M140 366h120', '#7d756c', 3, 22)),
  ),
  'prd_burr-grinder': standing(
    room,
    shadow(236, 400, 84),
    line('M236 116h104', steel.dark, 13),
    line('M236 114h104', steel.base, 8),
    path('M324 78c0-20 36-20 36 0 0 14-6 22-6 36h-24c0-14-6-22-6-36z', walnut.base),
    path('M324 78c0-12 12-17 20-14-10 8-10 30-6 50h-8c0-14-6-22-6-36z', walnut.light),
    rect(222, 104, 28, 40, steel.dark, 6),
    path('M172 176c0-30 30-42 64-42s64 12 64 42z', steel.light),
    path('M250 135c30 2 50 14 50 41h-36c2-18-2-32-14-41z', steel.base),
    rect(168, 172, 136, 226, steel.base, 12),
    rect(168, 172, 46, 226, steel.light, 12),
    path('M268 172h24a12 12 0 0 1 12 12v202a12 12 0 0 1-12 12h-24z', steel.dark),
    rect(162, 262, 148, 62, walnut.base, 8),
    rect(162, 262, 50, 62, walnut.light, 8),
    path('M270 262h32a8 8 0 0 1 8 8v46a8 8 0 0 1-8 8h-32z', walnut.dark),
    rect(182, 184, 12, 66, PAPER, 6),
    // beans that wait
    ...[
      [96, 390, 24],
      [128, 398, -20],
      [360, 396, 16],
      [112, 406, 70],
    ].map(
      ([x = 0, y = 0, angle = 0]) =>
        `<g transform="rotate(${angle} ${x} ${y})">${ellipse(x, y, 15, 10, walnut.dark)}${line(`M${x - 12} ${y}c8-5 16 5 24 0`, walnut.light, 2.5)}</g>`,
    ),
  ),
  'prd_pour-over-kettle': standing(
    room,
    shadow(262, 398, 132),
    line('M168 344c-46-6-44-64-52-112-4-26-18-36-40-40', coal.base, 17),
    path('M70 180l14 3-4 22-18-6z', coal.light),
    line('M348 218c58-14 72 26 66 66-4 30-20 56-40 62', walnut.base, 19),
    line('M348 212c40-10 60 4 64 36', walnut.light, 7),
    path('M186 198h152l38 184a16 16 0 0 1-16 16H164a16 16 0 0 1-16-16z', coal.base),
    path('M186 198h42l-24 200h-40a16 16 0 0 1-16-16z', coal.light),
    path('M302 198h36l38 184a16 16 0 0 1-16 16h-44z', coal.dark),
    path('M180 198c0-22 36-34 82-34s82 12 82 34z', coal.light),
    path('M270 164c42 2 74 14 74 34h-54c4-14-4-28-20-34z', coal.base),
    rect(172, 192, 180, 12, steel.dark, 6),
    rect(248, 138, 28, 26, walnut.base, 7),
    rect(248, 138, 11, 26, walnut.light, 6),
    faded(0.35, line('M196 238 180 362', PAPER, 7)),
  ),
}
