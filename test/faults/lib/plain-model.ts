export {
  judgeKey,
  type PlainAction as Action,
  type Isolation,
  type KeyHistory,
  type Shown,
  type PlainWrite as Write,
} from '@skerry/checkers';
