// Everything the DWARF sections of one image say, behind the lookups that the rest uses. Link addresses throughout.
import type { ElfImage } from '../elf';
import { sectionFlag } from '../elf';
import type { Problems } from '../problems';
import { CallFrames } from './frames';
import { Functions } from './functions';
import { IntervalIndex } from './intervals';
import { LineTables } from './line-tables';
import { DebugSections } from './sections';
import { UnitIndex } from './unit-index';
import { DebugInformation, type Unit } from './units';

export class Dwarf {
  readonly sections: DebugSections;
  readonly info: DebugInformation;
  readonly lines: LineTables;
  readonly functions: Functions;
  readonly frames: CallFrames;
  readonly #units: UnitIndex;

  constructor(
    readonly elf: ElfImage,
    readonly problems: Problems,
  ) {
    const isLoaded = loadedPredicate(elf);
    this.sections = new DebugSections(elf);
    this.info = new DebugInformation(this.sections, problems);
    this.lines = new LineTables(this.info, isLoaded);
    this.functions = new Functions(this.info);
    this.frames = new CallFrames(this.sections, problems, isLoaded);
    this.#units = new UnitIndex(this.info, this.lines);
    if (this.info.units.length === 0 && !elf.relocatable) {
      problems.add('there is no debugging information: source lines and variables are not available; build with -g');
    }
  }

  unitAt(address: number): Unit | undefined {
    return this.#units.at(address);
  }
}

/** Sections say more exactly than segments what is loaded; an image without sections has only those. */
function loadedPredicate(elf: ElfImage): (address: number) => boolean {
  const sections = elf.sections
    .filter((section) => (section.flags & sectionFlag.alloc) !== 0 && section.size > 0)
    .map((section) => ({ low: section.address, high: section.address + section.size }));
  const segments = elf.segments.map((segment) => ({
    low: segment.address,
    high: segment.address + segment.memorySize,
  }));
  const loaded = sections.length > 0 ? sections : segments;
  const index = new IntervalIndex(loaded.map((range) => ({ ...range, value: 0 })));
  return (address) => index.contains(address);
}
