// Computed sizes without style attributes: the content security policy forbids those, and allows the object model.
import { nothing } from 'lit';
import { Directive, directive, PartType, type ElementPart, type PartInfo } from 'lit/directive.js';

class Geometry extends Directive {
  constructor(part: PartInfo) {
    super(part);
    if (part.type !== PartType.ELEMENT)
      throw new Error('geometry() stands in an element tag, not in an attribute or a child');
  }

  override update(part: ElementPart, [properties]: [Readonly<Record<string, string>>]): typeof nothing {
    const { element } = part;
    if (element instanceof HTMLElement) {
      for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
    }
    return nothing;
  }

  readonly render: (properties: Readonly<Record<string, string>>) => typeof nothing = () => nothing;
}

/** Sets CSS properties of the element it stands in: `<div ${geometry({ height: '24px' })}>`. */
export const geometry = directive(Geometry);
