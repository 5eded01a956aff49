package main

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/oidcauth/oidcauth/benchmarks/internal/figure"
	"github.com/oidcauth/oidcauth/benchmarks/internal/harness"
	"github.com/oidcauth/oidcauth/benchmarks/internal/idp"
)

const (
	plotWidth  = 30 * vg.Centimeter
	plotHeight = 12 * vg.Centimeter
	barHeight  = 0.38 * vg.Centimeter
)

// draw writes the plot: on the left the price of a token that has not been
// seen, on the right the time of one that has.
func (r *results) draw(path string) error {
	cold, err := r.coldPlot()
	if err != nil {
		return err
	}
	hot, err := r.hotPlot()
	if err != nil {
		return err
	}
	return figure.Write(path, plotWidth, plotHeight, [][]*plot.Plot{{cold, hot}})
}

// names returns the peers from the bottom of a plot to its top.
func (r *results) names() []string {
	var names []string
	for _, p := range r.Peers {
		names = append(names, p.Name)
	}
	slices.Reverse(names)
	return names
}

func (r *results) coldPlot() (*plot.Plot, error) {
	p := figure.New("A token not seen before", "multiple of the bare signature check")
	names, algorithms := r.names(), idp.Usual()
	for n, algorithm := range algorithms {
		values := make(plotter.Values, len(names))
		for i, name := range names {
			values[i] = r.coldRatio(key{harness.Authenticate, algorithm, harness.Cold, name}).Median
		}
		offset := barHeight * vg.Length(1-n)
		bars, err := addBars(p, values, offset, figure.Palette()[n], "%.2f")
		if err != nil {
			return nil, err
		}
		p.Legend.Add(algorithm, bars)
	}
	p.Legend.Top = true
	p.X.Tick.Marker = everyNth(1)
	r.nameRows(p)
	return p, nil
}

func (r *results) hotPlot() (*plot.Plot, error) {
	p := figure.New("The same token again, RS256", "microseconds")
	names := r.names()
	values := make(plotter.Values, len(names))
	for i, name := range names {
		values[i] = r.samples.time(key{harness.Authenticate, idp.RS256, harness.Hot, name}).Median / 1000
	}
	if _, err := addBars(p, values, 0, figure.Palette()[0], "%.1f"); err != nil {
		return nil, err
	}
	p.X.Tick.Marker = everyNth(20)
	r.nameRows(p)
	return p, nil
}

// nameRows writes the peers' names beside their bars, and leaves the same space
// in both plots so that their rows stand side by side.
func (r *results) nameRows(p *plot.Plot) {
	names := r.names()
	p.NominalY(names...)
	p.Y.Padding = vg.Points(8)
	p.Y.Min, p.Y.Max = -0.6, float64(len(names))-0.4
	p.X.Max *= 1.15 // for the figure behind the longest bar
}

// everyNth marks an axis at whole multiples of a step.
func everyNth(step float64) plot.TickerFunc {
	return func(low, high float64) []plot.Tick {
		var ticks []plot.Tick
		for at := math.Ceil(low/step) * step; at <= high; at += step {
			ticks = append(ticks, plot.Tick{Value: at, Label: fmt.Sprintf("%.0f", at)})
		}
		return ticks
	}
}

// addBars adds horizontal bars with their values written behind them.
func addBars(p *plot.Plot, values plotter.Values, offset vg.Length, fill color.Color, format string) (*plotter.BarChart, error) {
	bars, err := plotter.NewBarChart(values, barHeight)
	if err != nil {
		return nil, err
	}
	bars.Horizontal = true
	bars.LineStyle.Width = 0
	bars.Color = fill
	bars.Offset = offset

	ends := plotter.XYLabels{XYs: make(plotter.XYs, len(values)), Labels: make([]string, len(values))}
	for i, value := range values {
		ends.XYs[i] = plotter.XY{X: value, Y: float64(i)}
		ends.Labels[i] = fmt.Sprintf(format, value)
	}
	labels, err := plotter.NewLabels(ends)
	if err != nil {
		return nil, err
	}
	labels.Offset = vg.Point{X: 0.1 * vg.Centimeter, Y: offset - 0.12*vg.Centimeter}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font = font.From(p.Title.TextStyle.Font, vg.Points(9))
	}
	p.Add(bars, labels)
	return bars, nil
}
