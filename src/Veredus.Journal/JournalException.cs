namespace Veredus.Journal;

/// <summary>What went wrong, with the numbers of the C library (jlog 2.2.1 and later), so that tools can compare.</summary>
public enum JournalError
{
    Open = 3,
    NotADirectory = 4,
    PathTooLong = 5,
    Exists = 6,
    MakeDirectory = 7,
    CreateMetastore = 8,
    Lock = 10,
    IndexOpen = 11,
    IndexCorrupt = 13,
    SegmentOpen = 16,
    SegmentCorrupt = 18,
    SegmentRead = 19,
    SegmentWrite = 20,
    MetastoreOpen = 21,
    PreCommitOpen = 22,
    IllegalWrite = 23,
    IllegalCheckpoint = 24,
    InvalidSubscriber = 25,
    IllegalRecordId = 26,
    SubscriberExists = 27,
    Checkpoint = 28,
    NotSupported = 29,
    ClosedMarker = 30,
}

/// <summary>A journal could not do what was asked; the message says what, with which file, and what to do.</summary>
public sealed class JournalException : IOException
{
    public JournalException(JournalError error, string message, Exception? inner = null)
        : base(message, inner) => Error = error;

    public JournalException()
    {
    }

    public JournalException(string message)
        : base(message)
    {
    }

    public JournalException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public JournalError Error { get; }
}
