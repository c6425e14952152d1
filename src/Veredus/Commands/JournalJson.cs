using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.Commands;

/// <param name="Error">Why its state can't be told.</param>
internal sealed record JournalRow(string Journal, long Bytes, IReadOnlyList<ReaderRow> Readers, string? Error);

internal sealed record ReaderRow(string Name, string? Checkpoint, long WaitingBytes, DateTimeOffset? OldestWaiting);

internal sealed record SegmentRow(string Segment, long Bytes, int PendingReaders, long? IndexedRecords, bool Finished);

internal sealed record JournalInfo(string Journal, uint UnitLimit, string Safety, bool Compressed, long Bytes, IReadOnlyList<SegmentRow> Segments);

/// <param name="Ranges">First octet and the one behind the last.</param>
internal sealed record DamageRow(string Segment, IReadOnlyList<long[]> Ranges);

internal sealed record CheckpointRow(string Subscriber, string? Old, string New);

internal sealed record RepairData(bool Clean, bool Metastore, IReadOnlyList<DamageRow> Damage, IReadOnlyList<CheckpointRow> Checkpoints);

internal sealed record DoneData(string Text);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(List<JournalRow>))]
[JsonSerializable(typeof(List<ReaderRow>))]
[JsonSerializable(typeof(JournalInfo))]
[JsonSerializable(typeof(RepairData))]
[JsonSerializable(typeof(DoneData))]
internal sealed partial class JournalJson : JsonSerializerContext
{
    public static string Serialize(List<JournalRow> data) => JsonSerializer.Serialize(data, Default.ListJournalRow);

    public static string Serialize(List<ReaderRow> data) => JsonSerializer.Serialize(data, Default.ListReaderRow);

    public static string Serialize(JournalInfo data) => JsonSerializer.Serialize(data, Default.JournalInfo);

    public static string Serialize(RepairData data) => JsonSerializer.Serialize(data, Default.RepairData);

    public static string Serialize(DoneData data) => JsonSerializer.Serialize(data, Default.DoneData);
}
