/** Owns the pictures of lights. They hang in the evening, and are on. */
import { circle, ellipse, faded, line, path, rect, type Shape } from './pen.ts'
import { hanging, shadow, standing, type Pictures } from './scene.ts'
import { birch, brass, clay, coal, glow, INK, linen, PAPER, plum, ROOMS, walnut } from './tones.ts'

const room = ROOMS.Lighting
const CELADON = { base: '#8fb5a0', light: '#b8d4c2', dark: '#668c78' }

/** What a light does to the air around it. */
const halo = (cx: number, cy: number, r: number): Shape =>
  faded(0.1, circle(cx, cy, r, glow)) + faded(0.14, circle(cx, cy, Math.round(r * 0.72), glow))

const bulbs = (places: [number, number][]): Shape[] =>
  places.flatMap(([x, y]) => [
    faded(0.16, circle(x, y + 24, 30, glow)),
    rect(x - 6, y - 2, 12, 14, coal.dark, 3),
    path(`M${x - 6} ${y + 11}h12c8 6 8 26-6 26s-14-20-6-26z`, glow),
  ])

export const lighting: Pictures = {
  'prd_paper-lantern': hanging(
    room,
    halo(240, 262, 208),
    line('M240 0v124', coal.dark, 5),
    rect(226, 104, 28, 24, walnut.base, 5),
    ellipse(240, 262, 146, 138, '#ffe9bf'),
    path(
      'M240 124c82 0 146 62 146 138s-64 138-146 138c48-24 74-80 74-138s-26-114-74-138z',
      '#f6cf8c',
    ),
    path('M172 152c-40 26-56 66-52 124 12-62 38-96 82-134-12 2-22 6-30 10z', PAPER),
    faded(
      0.55,
      line(
        'M186 132c30 8 78 8 108 0M148 158c50 14 134 14 184 0M118 192c64 18 180 18 244 0M100 230c70 20 210 20 280 0M95 268c72 20 218 20 290 0M104 306c70 18 202 18 272 0M126 342c60 16 168 16 228 0M164 374c42 10 110 10 152 0',
        '#d9a55e',
        2.5,
      ),
    ),
    ellipse(240, 396, 46, 8, walnut.base),
    ellipse(240, 394, 34, 5, PAPER),
  ),
  'prd_brass-desk-lamp': standing(
    room,
    faded(0.16, path('M86 230 40 400h236L180 214z', glow)),
    faded(0.35, ellipse(158, 400, 106, 12, glow)),
    shadow(306, 402, 92),
    ellipse(306, 394, 84, 14, brass.dark),
    path('M222 390c0-16 38-24 84-24s84 8 84 24-168 14-168 0z', brass.base),
    path('M222 390c0-14 30-22 68-24-20 8-28 22-22 34-28-2-46-4-46-10z', brass.light),
    line('M306 374 346 238', brass.base, 10),
    line('M304 366 342 240', brass.light, 3),
    line('M346 238 186 128', brass.base, 10),
    line('M342 232 188 126', brass.light, 3),
    circle(346, 238, 15, brass.dark),
    circle(346, 238, 7, brass.light),
    circle(306, 372, 13, brass.dark),
    path('M206 112c18 14 12 38-4 52l-18 22-84-58 26-16c20-24 56-22 80 0z', brass.base),
    path('M206 112c-24-22-60-24-80 0l-26 16 32 22c20-30 44-44 74-38z', brass.light),
    path(
      'M76 148c-8 12-6 26 4 40 30 34 66 44 98 24 10-8 12-18 8-28l-88-58c-8 4-16 12-22 22z',
      brass.dark,
    ),
    path('M82 154c24-8 78 28 90 54-32 18-68 6-92-22-8-12-6-22 2-32z', PAPER),
    circle(186, 128, 13, brass.dark),
  ),
  'prd_opal-pendant': hanging(
    room,
    halo(240, 290, 190),
    line('M240 0v168', clay.base, 6),
    path('M210 204c0-28 14-42 30-42s30 14 30 42z', brass.base),
    path('M210 204c0-28 14-42 30-42-8 10-10 24-8 42z', brass.light),
    circle(240, 300, 114, '#fff1d2'),
    path('M274 191a114 114 0 0 1-34 223c60-22 84-72 78-124-4-42-20-76-44-99z', '#f3d9a4'),
    path('M186 214c-36 22-52 56-48 96 14-48 40-74 78-102-12 0-22 2-30 6z', '#ffffff'),
    rect(196, 192, 88, 18, brass.dark, 7),
    rect(196, 192, 88, 8, brass.base, 4),
  ),
  'prd_reading-floor-lamp': standing(
    room,
    faded(0.15, path('M94 164 20 356v44h250L182 164z', glow)),
    // the sofa that it reaches over
    path('M0 292c0-20 12-30 30-30h118c18 0 28 10 28 30v104H0z', plum.dark),
    path('M0 322c0-12 8-18 20-18h96c16 0 24 8 24 22v40H0z', plum.base),
    path('M120 310c4-22 62-22 66 0l6 90h-76z', plum.base),
    rect(0, 352, 120, 48, plum.dark, 8),
    path('M56 306c-4-26 4-48 12-52l52 8c4 12 2 30-4 44z', clay.base),
    shadow(360, 404, 66),
    ellipse(360, 398, 56, 9, coal.dark),
    ellipse(360, 393, 56, 9, coal.light),
    line('M360 392V150c0-60-40-88-106-88-60 0-104 22-116 52', coal.dark, 9),
    line('M357 388V150c0-56-38-85-103-85', coal.light, 3),
    rect(350, 236, 20, 40, brass.base, 8),
    path('M120 104h38l38 64H82z', brass.base),
    path('M120 104h12l-12 64H82z', brass.light),
    path('M146 104h12l38 64h-34z', brass.dark),
    ellipse(139, 168, 57, 10, PAPER),
  ),
  'prd_garden-string-light': hanging(
    room,
    // dusk over a hedge
    path(
      'M0 410c30-34 60-30 84-10 24-36 66-34 88-4 24-28 62-30 88 2 26-34 72-30 94 2 26-30 66-34 126 4v76H0z',
      '#263c3b',
    ),
    path(
      'M0 446c36-24 70-18 100-4 40-22 84-16 116 2 44-24 90-20 124 0 40-22 84-20 140-4v40H0z',
      '#1d2f2f',
    ),
    rect(30, 92, 12, 340, walnut.dark, 4),
    rect(438, 92, 12, 340, walnut.dark, 4),
    line('M36 100c70 90 166 112 204 112s134-22 204-112', INK, 5),
    line('M36 240c90 62 150 74 204 74s114-12 204-74', INK, 5),
    ...bulbs([
      [76, 144],
      [124, 180],
      [180, 203],
      [240, 211],
      [300, 203],
      [356, 180],
      [404, 144],
    ]),
    ...bulbs([
      [92, 275],
      [150, 299],
      [210, 312],
      [270, 312],
      [330, 299],
      [388, 275],
    ]),
  ),
  'prd_ceramic-table-lamp': standing(
    room,
    halo(240, 164, 176),
    shadow(240, 402, 96),
    rect(230, 204, 20, 32, brass.base),
    path(
      'M240 226c30 0 34 18 34 30 0 14 54 34 54 86 0 36-30 58-88 58s-88-22-88-58c0-52 54-72 54-86 0-12 4-30 34-30z',
      CELADON.base,
    ),
    path(
      'M240 226c-30 0-34 18-34 30 0 14-54 34-54 86 0 28 18 47 54 54-30-60 14-84 20-130 2-16 4-30 14-40z',
      CELADON.light,
    ),
    path(
      'M258 229c14 6 16 17 16 27 0 14 54 34 54 86 0 30-22 50-62 56 44-54 16-92 2-126-6-14-4-30-10-43z',
      CELADON.dark,
    ),
    faded(0.8, line('M178 330c2-16 10-28 22-38', '#e4f1e8', 8)),
    path('M168 78h144l44 134H124z', '#ffe7b8'),
    path('M168 78h52l-22 134h-74z', PAPER),
    path('M280 78h32l44 134h-52z', '#eec887'),
    rect(164, 74, 152, 8, linen.base, 4),
    rect(120, 206, 240, 9, linen.dark, 4),
  ),
  'prd_night-light': hanging(
    room,
    halo(240, 220, 216),
    rect(140, 96, 200, 300, '#6d6289', 26),
    rect(140, 96, 196, 294, '#867aa3', 26),
    rect(158, 114, 162, 258, '#776c95', 18),
    circle(240, 320, 44, '#867aa3'),
    circle(240, 320, 36, '#554a72'),
    circle(226, 320, 6, INK),
    circle(254, 320, 6, INK),
    faded(0.25, rect(178, 152, 134, 128, INK, 60)),
    path('M172 204a64 64 0 0 1 128 0v30a36 36 0 0 1-36 36h-56a36 36 0 0 1-36-36z', birch.base),
    path('M172 204a64 64 0 0 1 64-64v130h-28a36 36 0 0 1-36-36z', birch.light),
    faded(0.45, line('M186 248c30-10 70-10 100 0M182 232c34-10 74-8 106 2', birch.dark, 2.5)),
    circle(236, 200, 42, glow),
    circle(236, 200, 32, PAPER),
    circle(236, 256, 4, birch.dark),
  ),
  'prd_wall-sconce': hanging(
    room,
    faded(0.15, path('M262 210 184 480h250L378 210z', glow)),
    rect(92, 120, 44, 150, brass.dark, 20),
    rect(92, 120, 38, 150, brass.base, 19),
    rect(92, 120, 14, 150, brass.light, 7),
    line('M112 268v120c0 40 24 40 24 92', coal.dark, 5),
    line('M116 166h112', brass.base, 10),
    line('M116 163h110', brass.light, 3),
    line('M228 166 320 118', brass.base, 10),
    line('M228 162 318 115', brass.light, 3),
    circle(228, 166, 14, brass.dark),
    circle(228, 166, 6, brass.light),
    line('M320 118v30', brass.dark, 10),
    circle(320, 118, 12, brass.dark),
    path('M290 142h60l46 82H244z', linen.base),
    path('M290 142h20l-20 82h-46z', PAPER),
    path('M334 142h16l46 82h-36z', linen.dark),
    ellipse(320, 224, 76, 11, glow),
    circle(112, 236, 7, brass.dark),
  ),
}
