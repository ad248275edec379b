// What a caller passed, from the description of the call. [DWARF 5, 3.4; DW_TAG_GNU_call_site before version 5]
import { MalformedInput } from '../bytes';
import { at, tag } from './constants';
import { withAttribute } from './functions';
import type { Entry } from './units';

const mostEntries = 200_000;

/** The call in a function's entry that returns to `returnPc` (link address). */
export function findCallSite(owner: Entry, returnPc: number): Entry | undefined {
  let left = mostEntries;
  const walk = (parent: Entry, depth: number): Entry | undefined => {
    if (depth > 128) throw new MalformedInput('its blocks are nested too deeply');
    for (const child of parent.children()) {
      if (--left < 0) return undefined;
      const isNew = child.tag === tag.DW_TAG_call_site;
      if (isNew || child.tag === tag.DW_TAG_GNU_call_site) {
        const address = child.address(isNew ? at.DW_AT_call_return_pc : at.DW_AT_low_pc);
        if (address === returnPc) return child;
      } else if (child.abbreviation.hasChildren) {
        const found = walk(child, depth + 1);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  };
  return walk(owner, 0);
}

/** Name of the function that a call goes to; `undefined` for a call through a pointer. */
export function calledFunction(site: Entry): string | undefined {
  const called = site.reference(at.DW_AT_call_origin) ?? site.reference(at.DW_AT_abstract_origin);
  return called === undefined ? undefined : withAttribute(called, at.DW_AT_name)?.text(at.DW_AT_name);
}

/** The expression, in the caller's frame, of what was passed in the place that `location` describes. */
export function passedValue(site: Entry, location: Uint8Array): Uint8Array | undefined {
  for (const child of site.children()) {
    if (child.tag !== tag.DW_TAG_call_site_parameter && child.tag !== tag.DW_TAG_GNU_call_site_parameter) continue;
    const place = child.block(at.DW_AT_location);
    if (place === undefined || place.length !== location.length || !place.every((byte, i) => byte === location[i]))
      continue;
    return child.block(at.DW_AT_call_value) ?? child.block(at.DW_AT_GNU_call_site_value);
  }
  return undefined;
}
