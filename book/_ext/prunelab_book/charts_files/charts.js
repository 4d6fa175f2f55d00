// Draw each chart of the page from the specification that stands beside its place.
for (const source of document.querySelectorAll("script[data-chart]")) {
  vegaEmbed(`#${source.dataset.chart}`, JSON.parse(source.textContent), {
    actions: false, // no menu that opens an editor on the network
    defaultStyle: false,
    renderer: "svg", // sharp in print, and the only one whose text can be read aloud
  });
}
