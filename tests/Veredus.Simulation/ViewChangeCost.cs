using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using Veredus.Duravip;

namespace Veredus.Simulation;

/// <summary>What one node computes when one of sixteen nodes is lost: decoding all states, rebuilding the table, electing, deciding what to plumb.</summary>
internal static class ViewChangeCost
{
    public static void Print()
    {
        foreach (var (vips, nodes) in new[] { (1_000, 3), (1_000, 16), (10_240, 3), (10_240, 16) })
        {
            var samples = Enumerable.Range(0, vips > 1_000 ? 5 : 40).Select(_ => Measure(vips, nodes)).Order().ToList();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{vips,6} addresses, {nodes,2} nodes: best {samples[0].TotalMilliseconds:F1} ms, median {samples[samples.Count / 2].TotalMilliseconds:F1} ms, worst {samples[^1].TotalMilliseconds:F1} ms"));
        }
    }

    /// <summary>Time in one machine from the membership callback to the last effect of its new view.</summary>
    private static TimeSpan Measure(int count, int nodes)
    {
        var set = new VipSet(Enumerable.Range(0, count).Select(i => new LocalVip(new(
            VipAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"10.0.{i / 250}.{i % 250 + 1}")),
            VipAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"10.0.{i / 250}.{i % 250 + 1}")),
            ["esmtp", "multivip"], [$"binding-{i}"], "", Placeability.Placeable, "10.0.0.0/8"), new("eth0", 32))));
        var machines = Enumerable.Range(0, nodes).Select(n => new DuravipMachine(Setting.Name(n), MemberRole.Node, set, new() { ViewMatureMs = 0 })).ToArray();
        var wire = new Queue<(int Sender, byte[] Chunk)>();
        var (now, spent) = (1_000L, TimeSpan.Zero);
        var clock = new Stopwatch();

        void Apply(int n, DuravipEvent happened)
        {
            var effects = new List<DuravipEffect>();
            if (n == 0)
                clock.Start();
            machines[n].Apply(happened, now, effects);
            clock.Stop();
            foreach (var effect in effects)
            {
                if (effect is MulticastEffect send)
                {
                    foreach (var chunk in send.Chunks)
                        wire.Enqueue((n, chunk));
                }
                else if (effect is PlumbEffect plumb && spent == TimeSpan.Zero)
                {
                    Apply(n, new PlumbedEvent(plumb.Operation));
                }
            }
        }

        void Settle(int running)
        {
            do
            {
                while (wire.TryDequeue(out var sent))
                {
                    for (var n = 0; n < running; n++)
                        Apply(n, new DeliveredEvent(Id(sent.Sender), sent.Chunk));
                }
                for (var n = 0; n < running; n++)
                    Apply(n, new QueueDrainedEvent());
            }
            while (wire.Count > 0);
        }

        var members = Enumerable.Range(0, nodes).Select(Id).ToImmutableArray();
        for (var n = 0; n < nodes; n++)
        {
            Apply(n, new JoinedEvent(Id(n), (ulong)n + 1));
            Apply(n, new ViewChangedEvent(members, [], members));
        }
        for (var round = 0; round < 4; round++, now += 1_000)
            Settle(nodes);
        clock.Reset();
        spent = TimeSpan.FromTicks(1);
        for (var n = 0; n < nodes - 1; n++)
            Apply(n, new ViewChangedEvent(members.RemoveAt(nodes - 1), [new(Id(nodes - 1), DepartureReason.NodeDown)], []));
        Settle(nodes - 1);
        return clock.Elapsed;
    }

    private static MemberId Id(int n) => new((uint)n + 1, 100);
}
