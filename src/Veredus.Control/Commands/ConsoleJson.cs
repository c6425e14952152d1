using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Veredus.Control.Commands;

/// <summary>A list with what it leaves out.</summary>
public sealed record Listing<T>(IReadOnlyList<T> Items, long Total);

/// <summary>How many messages a command acted on.</summary>
public sealed record ActionCount(long Count);

/// <summary>An entry of the paniclog.</summary>
public sealed record PanicLine(long Time, string Level, string Text);

/// <summary>What <c>authz id</c> shows.</summary>
public sealed record Identity(string User, IReadOnlyList<string> Roles);

/// <summary>What <c>version</c> and <c>sysinfo</c> show.</summary>
public sealed record SystemInfo(string Product, string Version, string Host, int Pid, string Runtime, string OperatingSystem, string Kernel);

/// <summary>What <c>threads stats</c> shows.</summary>
public sealed record ThreadStatistics(int Threads, long PendingItems, long CompletedItems, int Processors);

/// <summary>A named counter.</summary>
public sealed record CounterLine(string Name, long Value);

/// <summary>The JSON forms of the node's console: camel case, unset values left out.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(NodeSummary))]
[JsonSerializable(typeof(Listing<BindingSummary>))]
[JsonSerializable(typeof(Listing<QueueLine>))]
[JsonSerializable(typeof(Listing<DomainLine>))]
[JsonSerializable(typeof(DomainDetails))]
[JsonSerializable(typeof(Listing<QueuedMessageLine>))]
[JsonSerializable(typeof(MessageDetails))]
[JsonSerializable(typeof(Listing<SessionLine>))]
[JsonSerializable(typeof(Listing<TraceLine>))]
[JsonSerializable(typeof(Listing<ModuleLine>))]
[JsonSerializable(typeof(Listing<TlsContextLine>))]
[JsonSerializable(typeof(Listing<PanicLine>))]
[JsonSerializable(typeof(Listing<CounterLine>))]
[JsonSerializable(typeof(ImportProgress))]
[JsonSerializable(typeof(ActionCount))]
[JsonSerializable(typeof(Identity))]
[JsonSerializable(typeof(SystemInfo))]
[JsonSerializable(typeof(ThreadStatistics))]
[JsonSerializable(typeof(Listing<string>))]
public sealed partial class ConsoleJson : JsonSerializerContext
{
    /// <summary>One line; control characters are escaped, so no text of a message can end an answer.</summary>
    public static string Serialize<T>(T value) => JsonSerializer.Serialize(value, (JsonTypeInfo<T>)Default.GetTypeInfo(typeof(T))!);
}
