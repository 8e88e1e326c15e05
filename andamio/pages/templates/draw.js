// Draws every chart of the page from the specification beside it. No network, no eval: expressions are interpreted.
(function () {
  "use strict";
  var config = {{ config | tojson }};
  document.querySelectorAll(".chart").forEach(function (place) {
    try {
      var specification = JSON.parse(place.querySelector("script").textContent);
      var compiled = vegaLite.compile(specification, { config: config }).spec;
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
