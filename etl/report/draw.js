// Draws every chart of the page from the specification beside it. No network, no eval: expressions are interpreted.
(function () {
  "use strict";
  var config = {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: "transparent" },
    axis: { labelColor: "#52606D", titleColor: "#52606D", titleFontWeight: 500, gridColor: "#E4E7EB", domainColor: "#9AA5B1", tickColor: "#9AA5B1", labelFontSize: 11, titleFontSize: 11 },
    legend: { labelColor: "#323F4B", labelFontSize: 11 }
  };
  document.querySelectorAll(".chart").forEach(function (place) {
    try {
      var said = JSON.parse(place.querySelector("script").textContent);
      var compiled = vegaLite.compile(said, { config: config }).spec;
      var target = document.createElement("div");
      place.appendChild(target);
      new vega.View(vega.parse(compiled, null, { ast: true }), {
        expr: vegaInterpreter, renderer: "svg", container: target, hover: false, logLevel: vega.Error
      }).runAsync().catch(failed);
    } catch (error) {
      failed(error);
    }
    function failed(error) {
      place.textContent = "This chart could not be drawn: " + error.message;
      place.classList.add("failed");
    }
  });
})();
