using System.Net;
using System.Text.Json;

namespace Veredus.Demo;

/// <summary>One virtual address as a node sees it.</summary>
/// <param name="Safety"><c>safe</c>, <c>UNSAFE</c>, <c>BROKEN</c> or <c>conflict</c>.</param>
internal sealed record SeenVip(IPAddress Address, string Owner, string State, string Safety, string SafetyReason);

/// <summary>What a node says of its cluster: <c>json cluster duravip show</c>.</summary>
internal sealed record ClusterView(bool IsOpen, IReadOnlyList<string> Members, IReadOnlyList<SeenVip> Vips)
{
    /// <summary>Asks a node; <see langword="null"/> when it does not answer.</summary>
    public static async Task<ClusterView?> TryReadAsync(DemoHost host, CancellationToken cancellationToken) =>
        await host.TryAskAsync("json cluster duravip show", cancellationToken) is { IsOk: true } reply ? Parse(reply.Body) : null;

    public static ClusterView Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        var root = document.RootElement;
        return new(root.GetProperty("phase").GetString() == "RUN",
            [.. root.GetProperty("members").EnumerateArray().Where(member => !member.GetProperty("excluded").GetBoolean()).Select(member => Text(member, "node")).Order(StringComparer.Ordinal)],
            [.. root.GetProperty("vips").EnumerateArray().Select(vip => new SeenVip(
                IPAddress.Parse(Text(vip, "ip")), Text(vip, "owner"), Text(vip, "state"), Text(vip, "safety"), Text(vip, "safetyReason")))]);
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString() ?? "";
}
