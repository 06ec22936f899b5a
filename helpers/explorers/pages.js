// Plays an explorer on a page: moves through the tree of pictures that pages.py has drawn.
// A node is [number of its labels, is it disabled, subtrees], a leaf [picture, text, notice].
(() => {
  const make = (tag, parent, traits = {}) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(traits)) node.setAttribute(name, value);
    return parent.appendChild(node);
  };

  function start(figure) {
    const one = name => figure.querySelector(name);
    const data = JSON.parse(one('script[type="application/json"]').textContent);
    const picture = one('img'), caption = one('figcaption'), notice = one('.course-notice');
    const first = picture.src;
    const frames = data.frames.map(code => code ? 'data:image/webp;base64,' + code : first);
    const knobs = data.controls.map(([name, kind, label]) => knob(name, kind, label));

    // A control as in the notebook: its name on the left, on a slider's right its value.
    function knob(name, kind, label) {
      const row = make('label', one('.course-knobs'), {class: 'course-knob course-' + kind});
      const mine = {kind, label, at: 0, offered: null};
      make('span', row).textContent = name;
      if (kind === 'list') mine.node = make('select', row);
      else if (kind === 'box') mine.node = make('input', row, {type: 'checkbox'});
      else {
        mine.node = make('input', row, {type: 'range', min: 0, step: 1, value: 0});
        mine.value = make('output', row, {'aria-hidden': 'true'});
      }
      mine.node.setAttribute('aria-label', name);
      const moved = () => {
        const at = kind === 'box' ? Number(mine.node.checked)
          : kind === 'list' ? mine.node.selectedIndex : Number(mine.node.value);
        if (at === mine.at) return;
        mine.at = at;
        mine.label = mine.offered[at];
        show();
      };
      mine.node.addEventListener('input', moved);
      mine.node.addEventListener('change', moved);
      return mine;
    }

    // Offer what a node has, and keep what was chosen where it is still there.
    function offer(mine, labels, disabled) {
      if (labels[mine.at] !== mine.label) {
        const found = labels.indexOf(mine.label);
        mine.at = found < 0 ? Math.min(mine.at, labels.length - 1) : found;
      }
      if (mine.offered !== labels) {
        mine.offered = labels;
        if (mine.kind === 'list') {
          mine.node.replaceChildren();
          for (const label of labels) make('option', mine.node).textContent = label;
        } else if (mine.kind === 'slider') mine.node.max = labels.length - 1;
      }
      if (mine.kind === 'box') mine.node.checked = labels[mine.at] === 'yes';
      else if (mine.kind === 'list') mine.node.selectedIndex = mine.at;
      else {
        mine.node.value = mine.at;
        mine.node.setAttribute('aria-valuetext', labels[mine.at]);
        mine.value.textContent = labels[mine.at];
      }
      mine.node.disabled = disabled || labels.length < 2;
    }

    function show() {
      let node = data.tree;
      for (const mine of knobs) {
        const [labels, disabled, below] = node;
        offer(mine, data.sets[labels], Boolean(disabled));
        node = below[disabled ? 0 : mine.at];
      }
      const [frame, text, warning] = node;
      if (frame >= 0) { // else the last picture stays, and the notice says why
        if (picture.src !== frames[frame]) picture.src = frames[frame];
        if (caption.textContent !== text) caption.textContent = text;
        picture.alt = data.title + ': ' + text;
      }
      notice.textContent = warning || '';
      notice.hidden = !warning;
    }

    show();
    figure.dataset.live = 'yes';
  }

  for (const figure of document.querySelectorAll('figure.course-played:not([data-live])'))
    start(figure);
})();
