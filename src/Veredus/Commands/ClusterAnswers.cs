using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.CommandLine;
using Veredus.Control;
using Veredus.Node;

namespace Veredus.Commands;

/// <summary>An address as <c>json cluster duravip show</c> has it; what the commands do not need is left out.</summary>
internal sealed record VipData(string Ip, string Unit, string Owner, string State, string Safety, string SafetyReason, string Pin, string Preferred, bool OffPreferred,
    string Rule, long ViewStable, IReadOnlyList<string> Names, IReadOnlyList<string> Services, IReadOnlyList<ParticipantData> Participants, IReadOnlyList<string> Holders);

/// <summary>A node that can have the address.</summary>
internal sealed record ParticipantData(string Node, string Health);

/// <summary>The view of one node.</summary>
internal sealed record ViewData(string Node, string View, string Phase, bool Mature, string Leader, IReadOnlyList<VipData> Vips);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, Converters = [typeof(UtcTime)], DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ViewData))]
[JsonSerializable(typeof(IReadOnlyList<NodeLine>))]
[JsonSerializable(typeof(NodeLine))]
[JsonSerializable(typeof(ClusterEvents))]
[JsonSerializable(typeof(WhatIf))]
[JsonSerializable(typeof(AddressTest))]
[JsonSerializable(typeof(IReadOnlyList<NodeReply>))]
internal sealed partial class ClusterAnswers : JsonSerializerContext
{
    /// <summary>Asks the node and reads its answer.</summary>
    public static async Task<T> AskAsync<T>(Call call, ControlClient client, string command, CancellationToken cancellationToken)
    {
        var body = (await call.AskAsync(client, $"json {command}", cancellationToken)).Body;
        try
        {
            return (T)JsonSerializer.Deserialize(body, Default.GetTypeInfo(typeof(T))!)!;
        }
        catch (JsonException exception)
        {
            throw new CliException(ExitCodes.Failed, $"The node's answer can't be read: {exception.Message}", "Are the node and this program of one version ('veredus version', 'version' in the console)?");
        }
    }

    public static string Serialize<T>(T data) => JsonSerializer.Serialize(data, Default.GetTypeInfo(typeof(T))!);

    /// <summary>Gives a console command to a node: itself, or another one through it.</summary>
    /// <exception cref="CliException">The node is not there, does not answer, or refuses.</exception>
    public static async Task<string> OnNodeAsync(Call call, ControlClient client, string node, string command, CancellationToken cancellationToken)
    {
        var nodes = await AskAsync<IReadOnlyList<NodeLine>>(call, client, "cluster nodes", cancellationToken);
        if (nodes.FirstOrDefault(line => line.Node == node) is not { } known)
            throw new CliException(ExitCodes.NotFound, $"{node} is not a node of this cluster.", $"Nodes: {string.Join(' ', nodes.Select(line => line.Node))}");
        if (known.IsHere)
            return (await call.AskAsync(client, command, cancellationToken)).Text;
        if (known.State is "out" or "unknown")
            throw new CliException(ExitCodes.Unreachable, $"{node} is {known.State}{(known.Why.Length > 0 ? $": {known.Why}" : "")}; it cannot be asked.");
        var reply = (await AskAsync<IReadOnlyList<NodeReply>>(call, client, $"cluster on {CommandWords.Quote(node)} {command}", cancellationToken))[0];
        return reply.State != "answered" ? throw new CliException(ExitCodes.Partly, $"{node} does not answer ({reply.State}); it may still do it.")
            : reply.Code != 0 ? throw new CliException(ExitCodes.Of(reply.Code), $"{node}: {reply.Text}")
            : reply.Text;
    }
}
