using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.Control;

namespace Veredus.Node.Doubts;

/// <summary>A message in doubt, and the node that names it.</summary>
public sealed record DoubtOfNode(string Node, DateTimeOffset At, string Id, string Cause, string Sender, string Recipient, string Host);

/// <summary>Messages in doubt: of one node, or of all that answered.</summary>
/// <param name="Missing">Nodes that did not answer in time.</param>
public sealed record DoubtReport(IReadOnlyList<DoubtOfNode> Items, long Total, IReadOnlyList<string> Missing)
{
    /// <summary>For people.</summary>
    internal IEnumerable<string> Lines()
    {
        yield return $"{"At",-20} {"ID",-20} {"Node",-12} {"Recipient",-30} Why";
        foreach (var doubt in Items)
            yield return string.Create(CultureInfo.InvariantCulture, $"{doubt.At.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z {doubt.Id,-20} {doubt.Node,-12} {"<" + doubt.Recipient + ">",-30} {Why(doubt)}");
        if (Items.Count < Total)
            yield return $"{Items.Count} of {Total} shown, the newest";
        if (Missing.Count > 0)
            yield return $"! no answer: {string.Join(", ", Missing)}";
    }

    public static string Why(DoubtOfNode doubt) => doubt.Cause switch
    {
        "cutOff" => $"{doubt.Host} ended the connection after the final dot and before its reply",
        "moved" => $"{doubt.Host} was given it, did not answer and did not come back",
        _ => "the node ended before the reply was on its disk",
    };
}

/// <summary>The command <c>message in_doubt</c>.</summary>
internal sealed class DoubtConsole(VeredusNode node)
{
    public const int Shown = 1000;

    public IEnumerable<ControlCommand> Commands =>
    [
        new("message in_doubt", "[N]", "messages that may have been delivered twice, the newest last", (call, _) => new(List(call))) { HasJson = true },
    ];

    private ControlAnswer List(ControlCall call)
    {
        if (!TryReadCount(call, out var count))
            return ControlAnswer.Usage(call.Command);
        var all = node.Doubts.All();
        var shown = new DoubtReport([.. all.Skip(Math.Max(0, all.Count - count)).Select(doubt => new DoubtOfNode(ClusterConfiguration.NodeName(node.Configuration.Current), doubt.At, doubt.Id, doubt.Cause, doubt.Sender, doubt.Recipient, doubt.Host))], all.Count, []);
        return ControlAnswer.Body(call.Json ? [JsonSerializer.Serialize(shown, DoubtsJson.Default.DoubtReport)] : shown.Lines());
    }

    public static bool TryReadCount(ControlCall call, out int count)
    {
        count = Shown;
        return call.Arguments is [] || call.Arguments is [var text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) && count > 0;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DoubtReport))]
public sealed partial class DoubtsJson : JsonSerializerContext;
